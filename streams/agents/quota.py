"""How many memories each agent has, and which go first where it has too many.

A memory counts, and can be evicted, once no reorg can take it: it is live, and a command left it or its block is final. Where
an agent has more than its limit of those, the least important go, of equally important ones the oldest, until a part of the
limit (SLACK) is free again, so that an agent at its limit is looked through for every so many memories, not for each.

Keys of local state: ``qe`` + owner (20) + rank (16) + id (32) for memories that count; ``qn`` + owner, how many (u64); ``qx`` +
owner while that is over the limit; ``qw`` + block number (8) + owner + id for memories whose block is not final yet; ``qf``,
the final block's number (i64).
Invariant: all of it is a function of the facts that stand and of the final block, in whatever order they came; so it needs no
inverse but to look again at what a fact touched.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from streams.agents.base import LocalState
from streams.core.presence import Presence

LIMIT = 10_000
SLACK = 64
"""One in so many is free after an eviction."""
AT_ONCE = 1_024
"""Most evictions asked for in one transaction."""
NOTHING_FINAL = -1
RANK = 16
_FINAL = struct.Struct(">q")
_COUNT = struct.Struct(">Q")
_OWNER = slice(2, 22)
_ID = 32


def rank_of(importance: float, timestamp: int) -> bytes:
    """Sorts as they are evicted: least important first, of equally important ones the oldest."""
    return struct.pack(">dQ", max(0.0, importance), min(max(0, timestamp + (1 << 62)), (1 << 64) - 1))


class Settled(NamedTuple):
    """A memory whose block became final. ``first``: as far as this process knows; a replay has blocks become final again."""

    owner: bytes
    memory_id: bytes
    rank: bytes
    first: bool


class Quota:
    """Counts of one partition, in ``state``. ``limit``: memories an agent may keep."""

    def __init__(self, state: LocalState, limit: int = LIMIT) -> None:
        self._state = state
        self._limit = limit
        self._low = limit - limit // SLACK
        self._reached: int | None = None
        self._seen = NOTHING_FINAL

    def look(self, owner: bytes, memory_id: bytes, presence: Presence, rank: bytes | None) -> None:
        """Counts a memory anew, or no more. ``rank``: see ``rank_of``; None if no UPSERT stands."""
        if rank is None:
            return
        final = self._final()
        numbers = [fact.block_number for fact in presence.upserts]
        self._put(b"qe" + owner + rank + memory_id, owner, there=presence.live() and any(n <= final for n in numbers))
        for number in numbers:
            if number > final:
                self._state.put(_waiting(number, owner, memory_id), rank)

    def gone(self, owner: bytes, memory_id: bytes, rank: bytes, number: int) -> None:
        """An UPSERT of block ``number`` (-1: of a command) does not stand any more; ``look`` follows if another does."""
        if number > NOTHING_FINAL:
            self._state.delete(_waiting(number, owner, memory_id))
        self._put(b"qe" + owner + rank + memory_id, owner, there=False)

    def finalize(self, number: int) -> None:
        """Block ``number`` and those before it are final; ``settle`` says so to the counts."""
        self._reached = max(number, NOTHING_FINAL if self._reached is None else self._reached)

    def reverted(self, number: int) -> None:
        """Block ``number`` left the chain: it is not final, whatever was said."""
        if self._reached is not None:
            self._reached = min(self._reached, number - 1)
        if self._final() >= number:
            self._state.put(b"qf", _FINAL.pack(number - 1))

    def settle(self) -> list[Settled]:
        """Waiting memories that became final since the last call; each is to be looked at."""
        reached, self._reached = self._reached, None
        self._seen = seen = max(self._seen, self._final())
        if reached is None or reached <= self._final():
            return []
        self._seen = max(seen, reached)
        self._state.put(b"qf", _FINAL.pack(reached))
        due = []
        for key, rank in self._state.scan(b"qw"):
            if int.from_bytes(key[2:10], "big") > reached:
                break
            due.append((key, rank))
        for key, _ in due:
            self._state.delete(key)
        return [Settled(key[10:30], key[30:], rank, int.from_bytes(key[2:10], "big") > seen) for key, rank in due]

    def excess(self) -> Iterator[tuple[bytes, bytes]]:
        """Memories (owner, id) that are to go, at most AT_ONCE."""
        left = AT_ONCE
        for key, _ in list(self._state.scan(b"qx")):
            owner = key[_OWNER]
            victims = list(islice(self._state.scan(b"qe" + owner), min(left, self.count(owner) - self._low)))
            yield from ((owner, victim[-_ID:]) for victim, _ in victims)
            left -= len(victims)
            if left <= 0:
                return

    def count(self, owner: bytes) -> int:
        """Memories of the agent that count."""
        count = self._state.get(b"qn" + owner)
        return 0 if count is None else int(_COUNT.unpack(count)[0])

    def _final(self) -> int:
        final = self._state.get(b"qf")
        return NOTHING_FINAL if final is None else int(_FINAL.unpack(final)[0])

    def _put(self, key: bytes, owner: bytes, *, there: bool) -> None:
        if there == (self._state.get(key) is not None):
            return
        count = self.count(owner) + (1 if there else -1)
        if there:
            self._state.put(key, b"")
        else:
            self._state.delete(key)
        if count:
            self._state.put(b"qn" + owner, _COUNT.pack(count))
        else:
            self._state.delete(b"qn" + owner)
        if count > self._limit:
            self._state.put(b"qx" + owner, b"")
        else:
            self._state.delete(b"qx" + owner)


def _waiting(number: int, owner: bytes, memory_id: bytes) -> bytes:
    return b"qw" + number.to_bytes(8, "big") + owner + memory_id
