"""Fork choice by total difficulty, for sources that deliver blocks in arrival order: proof-of-work archives and vectors.

Whether a block is valid is the caller's knowledge (it takes execution to see); this module decides what a valid one does.
Invariants: the head changes only when a block's total difficulty is strictly greater; what grows on an invalid block is
invalid; every block is reported once, and again only as known. Deterministic: no I/O, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from streams.core.block import BlockRef


class Outcome(StrEnum):
    """What the arrival of a block means."""

    COMMIT = "commit"
    SIDE = "side"
    REORG = "reorg"
    INVALID = "invalid"
    ORPHAN = "orphan"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class Event:
    """``old`` and ``new`` (REORG): the branches left and taken, oldest first, above ``ancestor``."""

    outcome: Outcome
    block: BlockRef
    old: tuple[BlockRef, ...] = ()
    new: tuple[BlockRef, ...] = ()
    ancestor: BlockRef | None = None


@dataclass(slots=True)
class ForkChoice:
    """The tree of blocks seen. ``head`` is the tip of the heaviest branch, the first seen among equals."""

    head: BlockRef
    total: dict[bytes, int] = field(default_factory=dict)
    refs: dict[bytes, BlockRef] = field(default_factory=dict)
    rejected: set[bytes] = field(default_factory=set)

    @classmethod
    def from_genesis(cls, genesis: BlockRef, difficulty: int) -> ForkChoice:
        """A tree of one block."""
        return cls(genesis, {genesis.hash: difficulty}, {genesis.hash: genesis})

    def feed(self, block: BlockRef, difficulty: int, *, valid: bool = True) -> Event:
        """Takes the next block in arrival order and says what it does."""
        if block.hash in self.total:
            return Event(Outcome.KNOWN, block)
        if not valid or block.hash in self.rejected or block.parent in self.rejected:
            self.rejected.add(block.hash)
            return Event(Outcome.INVALID, block)
        parent = self.refs.get(block.parent)
        if parent is None:
            return Event(Outcome.ORPHAN, block)
        if block.number != parent.number + 1:
            self.rejected.add(block.hash)
            return Event(Outcome.INVALID, block)
        self.refs[block.hash] = block
        self.total[block.hash] = self.total[block.parent] + difficulty
        return self._choose(block)

    def _choose(self, block: BlockRef) -> Event:
        if self.total[block.hash] <= self.total[self.head.hash]:
            return Event(Outcome.SIDE, block)
        before, self.head = self.head, block
        if block.parent == before.hash:
            return Event(Outcome.COMMIT, block)
        old, new, ancestor = self._branches(before, block)
        return Event(Outcome.REORG, block, old, new, ancestor)

    def _branches(self, left: BlockRef, right: BlockRef) -> tuple[tuple[BlockRef, ...], tuple[BlockRef, ...], BlockRef]:
        old: list[BlockRef] = []
        new: list[BlockRef] = []
        while left.hash != right.hash:
            if left.number >= right.number:
                old.append(left)
                left = self.refs[left.parent]
            else:
                new.append(right)
                right = self.refs[right.parent]
        return tuple(reversed(old)), tuple(reversed(new)), left

    def forget(self, below: int) -> None:
        """Drops blocks under this height, so that memory stays flat in a long archive."""
        for block_hash in [h for h, ref in self.refs.items() if ref.number < below]:
            del self.refs[block_hash], self.total[block_hash]
