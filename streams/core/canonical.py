"""Which blocks are part of the chain, as a reader of ``chain.blocks`` knows it.

Assumes steps are applied in log order, each once. Invariants:
  * a block that the log has undone and not added again is never ``canonical`` and never ``held``;
  * near the tip (from ``floor`` upwards) ``holds`` is exact: a block this view has not seen yet is not held, so that rows a
    store took from a newer part of the log do not mix with older ones;
  * memory is bounded: the window by ``window_limit`` blocks, the undone set by ``undone_limit`` hashes. What leaves the undone
    set is counted in ``forgotten``; it can matter only to a store that still holds a row of a removed block that old.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from streams.core.block import BlockRef, Step, optional_ref
from streams.core.block_times import BlockTimes
from streams.core.presence import Presence

MARGIN = 64
WINDOW_LIMIT = 65_536
UNDONE_LIMIT = 262_144
REORGS_KEPT = 32
LOWS_KEPT = 4_096


class BrokenChainError(ValueError):
    """A step does not follow from the steps before it."""


@dataclass(frozen=True, slots=True)
class ChainStep:
    """One notification of chain.blocks, without the header. ``timestamp``: unix seconds of a NEW block, else 0."""

    step: Step
    sequence: int
    block: BlockRef
    head: BlockRef
    final: BlockRef | None = None
    removed: tuple[BlockRef, ...] = ()
    ancestor: BlockRef | None = None
    transactions: int = 0
    timestamp: int = 0

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> ChainStep:
        """From the Avro form of a BlockNotification."""
        header = record["header"]
        return cls(
            step=Step(record["step"]),
            sequence=record["sequence"],
            block=BlockRef.of(record["block"]),
            head=BlockRef.of(record["head"]),
            final=optional_ref(record["final"]),
            removed=tuple(BlockRef.of(ref) for ref in record["removed"]),
            ancestor=optional_ref(record["ancestor"]),
            transactions=record["transactions"],
            timestamp=header["timestamp"] if header else 0,
        )


@dataclass(frozen=True, slots=True)
class Reorg:
    """One undo: ``depth`` blocks above ``ancestor`` left the chain, ``tip`` the newest of them."""

    sequence: int
    depth: int
    tip: BlockRef
    ancestor: BlockRef


class CanonicalView:
    """Fold of ChainSteps. Changed by one task; ``canonical`` may be called from any thread."""

    def __init__(
        self, *, margin: int = MARGIN, window_limit: int = WINDOW_LIMIT, undone_limit: int = UNDONE_LIMIT, first: int | None = 0
    ) -> None:
        """``first``: sequence the log must start with; None where its beginning has been cut off by retention."""
        self.head: BlockRef | None = None
        self.final: BlockRef | None = None
        self.sequence: int | None = None
        self.floor: int | None = None
        self.undo_count = 0
        self.forgotten = 0
        self.rewrites = 0
        """Changes of what ``holds`` says of a block below ``floor``: the chain moved where it was thought to be final."""
        self.reorgs: deque[Reorg] = deque(maxlen=REORGS_KEPT)
        self.first = first
        self._lows: list[tuple[int, int]] = []
        self._lows_from = 0
        self.times = BlockTimes()
        self._margin = margin
        self._window_limit = window_limit
        self._undone_limit = undone_limit
        self._window: dict[bytes, int] = {}
        self._undone: dict[bytes, int] = {}

    @property
    def undone(self) -> int:
        """Hashes known to be removed."""
        return len(self._undone)

    @property
    def window(self) -> int:
        """Canonical blocks known by hash."""
        return len(self._window)

    def canonical(self, block_hash: bytes) -> bool:
        """False if the log has undone this block; True for all others, also ones not seen yet."""
        return block_hash not in self._undone

    def number_of(self, block_hash: bytes) -> int | None:
        """The height of a block that is part of the chain; None if it is not, or lies too far below the head to be known."""
        return self._window.get(block_hash)

    def holds(self, number: int, block_hash: bytes) -> bool:
        """Whether this block is part of the chain up to ``head``."""
        if self.floor is None or block_hash in self._undone:
            return False
        return number < self.floor or block_hash in self._window

    def live(self, presence: Presence) -> bool:
        """Whether a memory with these facts is live in the chain up to ``head``."""
        numbers = {fact.block_hash: fact.block_number for fact in presence.upserts | presence.deletes}
        return presence.live(lambda block_hash: self.holds(numbers[block_hash], block_hash))

    def lowest_since(self, undo_count: int) -> int | None:
        """Height of the lowest common ancestor of the undos after the first ``undo_count``, of which there must be one.

        None if that is not known any more.
        """
        if undo_count < self._lows_from:
            return None
        return self._lows[bisect_right(self._lows, undo_count, key=lambda low: low[0])][1]

    def apply(self, step: ChainStep) -> None:
        """Folds in one step. Raises BrokenChainError, and changes nothing, if it does not follow."""
        self._check_sequence(step)
        if step.step is Step.NEW:
            self._add(step)
        elif step.step is Step.UNDO:
            self._undo(step)
        self.sequence = step.sequence
        self.head = step.head
        self.final = step.final or self.final
        self._prune()

    def _check_sequence(self, step: ChainStep) -> None:
        expected = self.first if self.sequence is None else self.sequence + 1
        if expected is not None and step.sequence != expected:
            raise BrokenChainError(f"notification {step.sequence} came where {expected} was due")

    def _add(self, step: ChainStep) -> None:
        block = step.block
        if self.head is not None and block.parent != self.head.hash:
            raise BrokenChainError(f"block {block} does not follow {self.head}")
        self._undone.pop(block.hash, None)
        self._window[block.hash] = block.number
        self.times.add(block.number, step.timestamp)
        if self.floor is None:
            self.floor = block.number
        self.rewrites += block.number < self.floor

    def _undo(self, step: ChainStep) -> None:
        self._check_undo(step)
        assert step.ancestor is not None
        for ref in step.removed:
            self._window.pop(ref.hash, None)
            self._undone.pop(ref.hash, None)  # so that the newest undo counts for the order of forgetting
            self._undone[ref.hash] = ref.number
        self.times.cut(step.ancestor.number)
        self.undo_count += 1
        self.rewrites += self.floor is not None and step.removed[-1].number < self.floor
        self._note_low(step.ancestor.number)
        self.reorgs.append(Reorg(step.sequence, len(step.removed), step.removed[0], step.ancestor))

    def _note_low(self, number: int) -> None:
        """Keeps, of (undos so far, height), those that no later undo reached below: heights that rise."""
        while self._lows and self._lows[-1][1] >= number:
            self._lows.pop()
        self._lows.append((self.undo_count, number))
        if len(self._lows) > LOWS_KEPT:
            self._lows_from = self._lows.pop(0)[0]

    def _check_undo(self, step: ChainStep) -> None:
        if not step.removed or step.ancestor is None:
            raise BrokenChainError(f"undo {step.sequence} names no removed blocks or no ancestor")
        if self.head is not None and step.removed[0].hash != self.head.hash:
            raise BrokenChainError(f"undo {step.sequence} removes {step.removed[0]}, but the head is {self.head}")
        chain = [*step.removed, step.ancestor]
        for child, parent in pairwise(chain):
            if child.parent != parent.hash:
                raise BrokenChainError(f"undo {step.sequence}: {parent} is not the parent of {child}")

    def _prune(self) -> None:
        # While the log is being filled with old blocks, finality lies ahead of the head.
        finals = [ref.number for ref in (self.final, self.head) if self.final is not None and ref is not None]
        keep_from = min(finals) - self._margin if finals else None
        while self._window:
            block_hash, number = next(iter(self._window.items()))
            if len(self._window) <= self._window_limit and (keep_from is None or number >= keep_from):
                break
            del self._window[block_hash]
            self.floor = max(self.floor or 0, number + 1)
        while len(self._undone) > self._undone_limit:
            del self._undone[next(iter(self._undone))]
            self.forgotten += 1
            self.rewrites += 1
