"""The append-only log of a partition's final states, in its LocalState.

Keys: ``l`` + level (1 byte) + index (u64, big-endian) -> hash of a perfect subtree; ``f`` -> frontier;
``F`` -> number of the newest final block (u64, big-endian); ``e`` + block number (u64, big-endian) + leaf hash: it is in.
Invariants: entries are appended for final blocks only and never taken back. Should a block below the final line be undone all
the same, its entry stays, as what was said, and the next final block appends what is true now. The same is said once: so a
replay, which undoes blocks and does them again, adds nothing, and the log is a function of the input however that was read.
"""

from __future__ import annotations

from streams.agents.base import LocalState
from streams.core.block import BlockRef
from streams.core.merkle.log import Frontier, consistency_path, inclusion_path, range_root

NODE = b"l"
FRONTIER = b"f"
FINAL = b"F"
SAID = b"e"


def _key(level: int, index: int) -> bytes:
    return NODE + bytes([level]) + index.to_bytes(8, "big")


class FinalLog:
    """A view of one partition's LocalState. Proofs cost O(log n) reads."""

    def __init__(self, state: LocalState) -> None:
        self._state = state

    def covers(self, block: BlockRef) -> bool:
        """Whether ``block`` or a later one is the newest final block already."""
        final = self._state.get(FINAL)
        return final is not None and block.number <= int.from_bytes(final, "big")

    def append(self, block: BlockRef, entry: bytes) -> Frontier | None:
        """Adds the leaf hash of the entry of ``block``, which is the newest final block from now on; None if it was there."""
        self._state.put(FINAL, block.number.to_bytes(8, "big"))
        said = SAID + block.number.to_bytes(8, "big") + entry
        if self._state.get(said) is not None:
            return None
        self._state.put(said, b"")
        frontier, completed = self.frontier().append(entry)
        for level, index, digest in completed:
            self._state.put(_key(level, index), digest)
        self._state.put(FRONTIER, bytes(frontier))
        return frontier

    def undo(self, block: BlockRef) -> None:
        """Moves the final line below ``block`` if it was above."""
        if self.covers(block) and block.number:
            self._state.put(FINAL, (block.number - 1).to_bytes(8, "big"))
        elif self.covers(block):
            self._state.delete(FINAL)

    def frontier(self) -> Frontier:
        """Size and, by ``root()``, root of the log."""
        wire = self._state.get(FRONTIER)
        return Frontier.of(wire) if wire else Frontier()

    def root(self, size: int) -> bytes:
        """Root of the first ``size`` entries, at least one. Raises ValueError if there are fewer."""
        return range_root(self._node, 0, self._within(size))

    def prove_inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """Path of entry ``index`` among the first ``size``. Raises ValueError if it is not one of them."""
        return inclusion_path(self._node, index, self._within(size))

    def prove_consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        """Proof that the first ``first`` entries begin the first ``second``. Raises ValueError unless 0 < first <= second."""
        return consistency_path(self._node, first, self._within(second))

    def _within(self, size: int) -> int:
        if not 0 < size <= self.frontier().size:
            raise ValueError(f"the log has {self.frontier().size} entries, not {size}")
        return size

    def _node(self, level: int, index: int) -> bytes:
        digest = self._state.get(_key(level, index))
        if digest is None:
            raise ValueError(f"the log's node {level}/{index} is missing")
        return digest
