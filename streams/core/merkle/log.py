"""An append-only Merkle log: RFC 9162 section 2.1 (the tree of RFC 6962), SHA-256, leaf prefix 0x00, node prefix 0x01.

A tree is read through ``Nodes``: the hash of the perfect subtree of 2^level leaves that starts at leaf index x 2^level. Whoever
keeps those hashes (under two per leaf) proves in O(log n) reads; whoever keeps the ``Frontier`` appends and knows the root.
Invariant: verifiers return a bool for any input; sizes are below 2^64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256

HASH = 32
EMPTY_ROOT = sha256(b"").digest()
SIZE_LIMIT = 1 << 64

Nodes = Callable[[int, int], bytes]
"""``nodes(level, index)``."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of an entry."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The perfect subtrees of a log of ``size`` leaves, largest first: one hash for each bit set in ``size``."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> tuple[Frontier, list[tuple[int, int, bytes]]]:
        """The frontier with a leaf hash more, and every perfect subtree this completes: (level, index, hash)."""
        hashes = list(self.hashes)
        completed = [(0, self.size, leaf)]
        level, carry = 0, leaf
        while self.size >> level & 1:
            carry = node_hash(hashes.pop(), carry)
            level += 1
            completed.append((level, self.size >> level, carry))
        return Frontier(self.size + 1, (*hashes, carry)), completed

    def root(self) -> bytes:
        """Root of the log."""
        return _bag(self.hashes)

    def __bytes__(self) -> bytes:
        return self.size.to_bytes(8, "big") + b"".join(self.hashes)

    @classmethod
    def of(cls, wire: bytes) -> Frontier:
        """The inverse of ``bytes``. Raises ValueError if the number of hashes does not fit the size."""
        size = int.from_bytes(wire[:8], "big")
        if len(wire) != 8 + HASH * size.bit_count():
            raise ValueError(f"not the frontier of {size} leaves: {len(wire)} bytes")
        return cls(size, tuple(wire[at : at + HASH] for at in range(8, len(wire), HASH)))


def _bag(hashes: Sequence[bytes]) -> bytes:
    return reduce(lambda right, left: node_hash(left, right), reversed(hashes)) if hashes else EMPTY_ROOT


class MerkleLog:
    """A whole log in memory, for whoever reads its leaf hashes in order and wants to serve proofs."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = []  # hashes of the perfect subtrees of 2^level leaves, one after the other
        self.frontier = Frontier()

    def append(self, leaf: bytes) -> None:
        """Adds a leaf hash."""
        self.frontier, completed = self.frontier.append(leaf)
        for level, _, digest in completed:
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += digest

    def root(self, size: int | None = None) -> bytes:
        """Root of the first ``size`` leaves (all, if not given). Raises ValueError if there are fewer."""
        size = self._checked(self.frontier.size if size is None else size)
        return range_root(self._node, 0, size) if size else EMPTY_ROOT

    def prove_inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """The path of leaf ``index`` in the log of ``size`` leaves. Raises ValueError if that leaf is not in it."""
        size = self._checked(self.frontier.size if size is None else size)
        return inclusion_path(self._node, index, size)

    def prove_consistency(self, first: int, second: int | None = None) -> tuple[bytes, ...]:
        """Proof that ``first`` leaves are the beginning of ``second``. Raises ValueError unless 0 < first <= second."""
        second = self._checked(self.frontier.size if second is None else second)
        return consistency_path(self._node, first, second)

    def _node(self, level: int, index: int) -> bytes:
        return bytes(self._levels[level][HASH * index : HASH * (index + 1)])

    def _checked(self, size: int) -> int:
        if not 0 <= size <= self.frontier.size:
            raise ValueError(f"the log has {self.frontier.size} leaves, not {size}")
        return size


def range_root(nodes: Nodes, start: int, end: int) -> bytes:
    """Root over leaves [start, end); ``start`` is a multiple of the largest power of two in the range, as in the RFC."""
    return _bag(list(_perfect(nodes, start, end)))


def _perfect(nodes: Nodes, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        level = (end - start).bit_length() - 1
        yield nodes(level, start >> level)
        start += 1 << level


def _split(start: int, end: int) -> int:
    """``start`` plus the largest power of two below the length of the range (at least two)."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def inclusion_path(nodes: Nodes, index: int, size: int) -> tuple[bytes, ...]:
    """PATH(index, D_size) of RFC 9162 2.1.3.1. Raises ValueError unless 0 <= index < size."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a log of {size}")
    start, end, path = 0, size, list[bytes]()
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            path.append(range_root(nodes, middle, end))
            end = middle
        else:
            path.append(range_root(nodes, start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_path(nodes: Nodes, first: int, second: int) -> tuple[bytes, ...]:
    """PROOF(first, D_second) of RFC 9162 2.1.4.1. Raises ValueError unless 0 < first <= second."""
    if not 0 < first <= second:
        raise ValueError(f"no consistency proof from size {first} to {second}")
    start, end, path = 0, second, list[bytes]()
    while first != end:
        middle = _split(start, end)
        if first <= middle:
            path.append(range_root(nodes, middle, end))
            end = middle
        else:
            path.append(range_root(nodes, start, middle))
            start = middle
    if start:  # the verifier knows the root of a whole prefix, not of a part of it
        path.append(range_root(nodes, start, end))
    return tuple(reversed(path))


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """Whether leaf hash ``leaf`` is number ``index`` of the log of ``size`` leaves and ``root`` (RFC 9162 2.1.3.2)."""
    if not (_are_sizes(index, size) and index < size and _are_hashes(path) and _are_hashes([leaf, root])):
        return False
    place, last, digest = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            digest = node_hash(sibling, digest)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and digest == root


def verify_consistency(first: int, second: int, path: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Whether the log of ``first`` leaves is the beginning of that of ``second`` (RFC 9162 2.1.4.2).

    False if ``first`` is 0: an empty log says nothing of what came after.
    """
    if not (_are_sizes(first, second) and 0 < first <= second and _are_hashes(path) and _are_hashes([first_root, second_root])):
        return False
    if first == second:
        return not path and first_root == second_root
    hashes = list(path)
    if first & (first - 1) == 0:
        hashes.insert(0, first_root)
    if not hashes:
        return False
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _are_sizes(*values: object) -> bool:
    return all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v < SIZE_LIMIT for v in values)


def _are_hashes(values: object) -> bool:
    if not isinstance(values, list | tuple) or len(values) > 2 * 64:
        return False
    return all(isinstance(v, bytes) and len(v) == HASH for v in values)
