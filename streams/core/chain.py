"""The live chain of one partition: where in the log each block that now stands was written last.

A block may lie in a log more than once (added, undone, added again); only its newest occurrence is live.
Invariant: neighbours are linked by parent hash, ``sequence`` and offsets grow, and the last block is ``head``, or there is no
block and ``head`` is only known by name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from streams.core.block import BlockRef


@dataclass(frozen=True, slots=True)
class LiveBlock:
    """One occurrence of a block: records from ``start`` up to its NEW marker at ``marker`` (offsets), their count and digest.

    ``sequence``: of the marker. ``state``: digest (32 bytes) of the fold's state after the block; None if it keeps none.
    ``time`` and ``parent_time``: timestamps of the block and of its parent, unix seconds; None where not known.
    """

    block: BlockRef
    sequence: int
    start: int
    marker: int
    count: int
    digest: bytes
    state: bytes | None = None
    time: int | None = None
    parent_time: int | None = None


class LiveChain:
    """The newest ``limit`` live blocks, and the tip with its timestamp. Memory is bounded by ``limit``."""

    def __init__(
        self, limit: int, head: BlockRef | None = None, blocks: Iterable[LiveBlock] = (), time: int | None = None
    ) -> None:
        self.limit = limit
        self._blocks: deque[LiveBlock] = deque(blocks, maxlen=limit)
        self.head = self._blocks[-1].block if self._blocks else head
        self.time = self._blocks[-1].time if self._blocks else time

    def __len__(self) -> int:
        return len(self._blocks)

    def newest(self, count: int) -> list[LiveBlock]:
        """Up to ``count`` blocks, newest first."""
        return [self._blocks[-i] for i in range(1, min(count, len(self._blocks)) + 1)]

    def push(self, block: LiveBlock) -> None:
        """Adds the new tip. The caller has checked that it follows."""
        if self._blocks and block.block.parent != self._blocks[-1].block.hash:
            raise ValueError(f"{block.block} does not follow {self._blocks[-1].block}")
        self._blocks.append(block)
        self.head, self.time = block.block, block.time

    def limited(self, limit: int) -> LiveChain:
        """The same chain, of which only the newest ``limit`` blocks are kept."""
        return LiveChain(limit, self.head, reversed(self.newest(limit)), self.time)

    def drop(self, count: int, ancestor: BlockRef) -> None:
        """Takes ``count`` blocks off; ``ancestor`` is the tip then."""
        if count:
            self.time = None
        for left in range(count, max(0, count - len(self._blocks)), -1):
            dropped = self._blocks.pop()
            self.time = dropped.parent_time if left == 1 else None
        self.head = ancestor


class LiveSpan:
    """What a log that is read from below says of the heights from ``low`` to ``high``: which blocks stand there.

    Memory is bounded by these heights, however many blocks are read and however deep they are undone meanwhile.
    """

    def __init__(self, low: int, high: int, time: int | None = None) -> None:
        self._heights = range(low, high + 1)
        self._blocks: list[LiveBlock] = []
        self.time = time
        """Of the tip; None where it is not known."""

    def push(self, block: LiveBlock) -> None:
        """The new tip. The caller has checked that it follows."""
        self.time = block.time
        if block.block.number in self._heights:
            self._blocks.append(block)

    def drop(self, ancestor: BlockRef) -> None:
        """Blocks were taken off down to ``ancestor``, the tip now."""
        self.time = None
        while self._blocks and self._blocks[-1].block.number > ancestor.number:
            dropped = self._blocks.pop()
            self.time = dropped.parent_time if dropped.block.number == ancestor.number + 1 else None
        if self._blocks and self._blocks[-1].block.hash == ancestor.hash:
            self.time = self._blocks[-1].time

    def chain(self) -> LiveChain:
        """The live blocks as a chain, whose tip is the highest of them."""
        return LiveChain(max(1, len(self._heights)), blocks=self._blocks)
