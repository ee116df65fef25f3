"""The fork view: the canonical blocks a producer knows, and how far they are final. Pure: every change returns a new view.

Assumes refs come from headers whose hashes were checked.
Invariants (``check``): blocks are linked by parent hash and by number; the finality line is inside the blocks or below them,
and never above the tip; it moves forward only, but for a reorg below it, which pulls it back to the common ancestor.
The depth of a reorg is limited only by the oldest block known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from streams.core.block import BlockRef


class ForkError(ValueError):
    """The change asked for does not fit the view."""


@dataclass(frozen=True, slots=True)
class ForkView:
    """``blocks``: known canonical blocks, oldest first, linked; empty before the first. ``final``: the newest final block."""

    blocks: tuple[BlockRef, ...] = ()
    final: BlockRef | None = None

    @property
    def tip(self) -> BlockRef | None:
        """The newest block, or None."""
        return self.blocks[-1] if self.blocks else None

    def at(self, number: int) -> BlockRef | None:
        """The canonical block of this height, if known."""
        index = number - self.blocks[0].number if self.blocks else -1
        return self.blocks[index] if 0 <= index < len(self.blocks) else None

    def holds(self, ref: BlockRef) -> bool:
        """Whether this very block is a known canonical one."""
        known = self.at(ref.number)
        return known is not None and known.hash == ref.hash


@dataclass(frozen=True, slots=True)
class Undo:
    """Blocks that leave the chain, newest first, and the newest block both branches share."""

    removed: tuple[BlockRef, ...]
    ancestor: BlockRef
    below_final: bool = False

    @property
    def depth(self) -> int:
        """How many blocks go."""
        return len(self.removed)


def linked(path: Sequence[BlockRef]) -> bool:
    """Whether each block is the child of the one before it."""
    return all(child.parent == parent.hash and child.number == parent.number + 1 for parent, child in pairwise(path))


def check(view: ForkView) -> None:
    """Raises ForkError if an invariant of the view does not hold."""
    if not linked(view.blocks):
        raise ForkError("blocks of the view are not linked")
    if view.final is not None:
        if view.tip is None or view.final.number > view.tip.number:
            raise ForkError("the finality line is above the tip")
        if view.final.number >= view.blocks[0].number and not view.holds(view.final):
            raise ForkError("the final block is not canonical")


def grow(view: ForkView, path: Sequence[BlockRef]) -> ForkView:
    """Adds ``path`` (oldest first) on the tip. Raises ForkError if it does not connect."""
    tip = view.tip
    if not linked([*([tip] if tip else []), *path]):
        raise ForkError(f"{path[0]} does not extend the tip {tip}")
    return ForkView((*view.blocks, *path), view.final)


def rewind(view: ForkView, ancestor: BlockRef) -> tuple[ForkView, Undo]:
    """Takes back every block above ``ancestor``. Raises ForkError if that is not a known block below the tip."""
    if not view.holds(ancestor) or ancestor == view.tip:
        raise ForkError(f"{ancestor} is not a known block below the tip {view.tip}")
    keep = ancestor.number - view.blocks[0].number + 1
    below = view.final is not None and ancestor.number < view.final.number
    undo = Undo(tuple(reversed(view.blocks[keep:])), view.blocks[keep - 1], below)
    return ForkView(view.blocks[:keep], undo.ancestor if below else view.final), undo


def reorg(view: ForkView, path: Sequence[BlockRef]) -> tuple[ForkView, Undo]:
    """Switches to the branch ``path`` (oldest first), whose first block's parent is a known block below the tip."""
    if not path:
        raise ForkError("a branch has at least one block")
    ancestor = view.at(path[0].number - 1)
    if ancestor is None or ancestor.hash != path[0].parent:
        raise ForkError(f"the parent of {path[0]} is not known")
    shrunk, undo = rewind(view, ancestor)
    return grow(shrunk, path), undo


def finalize(view: ForkView, final: BlockRef) -> ForkView:
    """Moves the finality line forward to ``final``, a known block; one at or below the line changes nothing."""
    if view.final is not None and final.number <= view.final.number:
        return view
    if not view.holds(final):
        raise ForkError(f"{final} is not a known block")
    return ForkView(view.blocks, view.at(final.number))


def trim(view: ForkView, keep: int, limit: int = 65_536) -> ForkView:
    """Forgets the oldest final blocks but ``keep`` below the tip. Others stay, up to ``limit`` blocks, so that a chain that
    never calls anything final does not grow without end; the log still has what is forgotten.
    """
    if view.tip is None or len(view.blocks) <= keep:
        return view
    oldest = view.tip.number - keep + 1
    unsettled = view.blocks[0].number if view.final is None else view.final.number
    oldest = max(min(oldest, unsettled), view.tip.number - limit + 1)
    return ForkView(view.blocks[max(0, oldest - view.blocks[0].number) :], view.final)


class Severity(StrEnum):
    """How much a reorg upsets."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"
    CONSENSUS_BREAK = "consensus_break"


def severity(depth: int, conflicts: int = 0) -> Severity:
    """Class of a reorg by blocks removed and by ``conflicts``, the removed transactions that the new branch lacks.

    More than 100 blocks deep the nodes' consensus itself broke; >50 blocks or >100 conflicts is critical; >10 or >20 major.
    """
    if depth > 100:
        return Severity.CONSENSUS_BREAK
    if depth > 50 or conflicts > 100:
        return Severity.CRITICAL
    return Severity.MAJOR if depth > 10 or conflicts > 20 else Severity.MINOR
