"""A radix tree over agents, so that two deployments find those that differ without listing all.

The tree of a set is a function of the set: a node without agents is 32 zeros, one with a single agent hashes that agent, any
other one hashes its 16 children (by the next hexadecimal digit of the address).
Invariant: children that were handed out hash to the node they were handed out for, so whoever descends notices a partner that
contradicts itself.
Memory: 52 bytes an agent, and a hash for each node of more than ``CACHED`` agents.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from blake3 import blake3

ADDRESS = 20
HASH = 32
DIGITS = 2 * ADDRESS
WIDTH = 16
EMPTY = bytes(HASH)
CACHED = 256
_ONE = b"monmouth/sync/one/1"
_NODE = b"monmouth/sync/node/1"


class Node(NamedTuple):
    """``digest`` of the subtree, and how many agents are in it."""

    digest: bytes
    size: int


def node_digest(children: Sequence[bytes]) -> bytes:
    """Digest of a node of two agents or more."""
    return blake3(_NODE + b"".join(children)).digest()


def makes(node: Node, children: Sequence[Node]) -> bool:
    """Whether these are the 16 nodes below ``node``. The digest of a single agent is the same at every depth."""
    if sum(child.size for child in children) != node.size or any(
        (child.digest == EMPTY) != (child.size == 0) for child in children
    ):
        return False
    digests = [child.digest for child in children]
    if node.size <= 1:
        return node.digest == next((digest for digest in digests if digest != EMPTY), EMPTY)
    return node.digest == node_digest(digests)


class AgentTree:
    """Agents with their digests. Immutable."""

    def __init__(self, agents: Iterable[tuple[bytes, bytes]]) -> None:
        rows = sorted(agents)
        self._addresses = b"".join(agent for agent, _ in rows)
        self._digests = b"".join(digest for _, digest in rows)
        self._count = len(rows)
        self._cache: dict[tuple[int, int, int], bytes] = {}

    def __len__(self) -> int:
        return self._count

    def node(self, prefix: str = "") -> Node:
        """The node of agents whose address begins with these hexadecimal digits."""
        low, high = self._range(prefix)
        return Node(self._digest(low, high, len(prefix)), high - low)

    def children(self, prefix: str) -> list[Node]:
        """The 16 nodes below, in order."""
        return [self.node(f"{prefix}{digit:x}") for digit in range(WIDTH)]

    def agents(self, prefix: str, limit: int) -> list[tuple[bytes, bytes]]:
        """The first ``limit`` agents of a node, with their digests."""
        low, high = self._range(prefix)
        return [(self._address(at), self._digests[HASH * at : HASH * (at + 1)]) for at in range(low, min(high, low + limit))]

    def _address(self, at: int) -> bytes:
        return self._addresses[ADDRESS * at : ADDRESS * (at + 1)]

    def _first(self, least: bytes, low: int = 0) -> int:
        return bisect_left(range(self._count), least, lo=low, key=self._address)

    def _range(self, prefix: str) -> tuple[int, int]:
        low = self._first(bytes.fromhex(prefix.ljust(DIGITS, "0")))
        after = int(prefix or "0", 16) + 1
        if not prefix or after >= WIDTH ** len(prefix):
            return low, self._count
        return low, self._first(bytes.fromhex(f"{after:0{len(prefix)}x}".ljust(DIGITS, "0")), low)

    def _digest(self, low: int, high: int, depth: int) -> bytes:
        if high == low:
            return EMPTY
        if high - low == 1:
            return blake3(_ONE + self._address(low) + self._digests[HASH * low : HASH * high]).digest()
        key = (low, high, depth)
        found = self._cache.get(key)
        if found is None:
            found = node_digest(self._below(low, high, depth))
            if high - low > CACHED:
                self._cache[key] = found
        return found

    def _below(self, low: int, high: int, depth: int) -> list[bytes]:
        digests = []
        prefix = self._address(low).hex()[:depth]
        for digit in range(WIDTH):
            end = high if digit == WIDTH - 1 else self._first(bytes.fromhex(f"{prefix}{digit + 1:x}".ljust(DIGITS, "0")), low)
            end = min(end, high)
            digests.append(self._digest(low, end, depth + 1))
            low = end
        return digests
