"""What an UNDO asks of a fold: which occurrences of which blocks to take back, in which order, and what must be true after.

Assumes that the UNDO was checked to remove the tip of the chain as far as its name is known (``segment``).
Invariant: a plan names the live occurrence of every removed block, newest first, and nothing else; where the known chain is too
short to say so, there is no plan, never a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.core.block import ZERO_HASH, BlockRef
from streams.core.chain import LiveBlock, LiveChain


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """``blocks``: to revert, newest first. ``state``: digest the fold must have at ``ancestor``; None if not known."""

    blocks: tuple[LiveBlock, ...]
    ancestor: BlockRef
    state: bytes | None = None


@dataclass(frozen=True, slots=True)
class Unplannable:
    """Why the known chain does not say where the removed blocks lie: the log must be read to find them."""

    reason: str


def plan_undo(chain: LiveChain, removed: Sequence[BlockRef], ancestor: BlockRef) -> UndoPlan | Unplannable:
    """The plan for taking ``removed`` (newest first) off ``chain``."""
    known = chain.newest(len(removed) + 1)
    if len(known) < len(removed):
        return Unplannable(f"{len(removed)} blocks removed down to {ancestor}, but only {len(known)} are known")
    for live, ref in zip(known, removed, strict=False):
        if live.block != ref:
            return Unplannable(f"{ref} is removed where {live.block} is known to stand")
    at_ancestor = known[len(removed)] if len(known) > len(removed) else None
    state = at_ancestor.state if at_ancestor is not None and at_ancestor.block.hash == ancestor.hash else None
    return UndoPlan(tuple(known[: len(removed)]), ancestor, state)


def plan_take_back(known: Sequence[LiveBlock], first: int, most_blocks: int, most_records: int) -> UndoPlan | None:
    """Takes the newest of ``known`` (live, newest first) back that lie at height ``first`` and above, within the bounds.

    At least one, if there is one; None if there is none. What lies below the oldest known is named by its parent hash alone.
    """
    taken: list[LiveBlock] = []
    records = 0
    for block in known[:most_blocks]:
        if block.block.number < first or (taken and records + block.count > most_records):
            break
        taken.append(block)
        records += block.count
    if not taken:
        return None
    if len(known) > len(taken):
        below = known[len(taken)]
        return UndoPlan(tuple(taken), below.block, below.state)
    oldest = taken[-1].block
    return UndoPlan(tuple(taken), BlockRef(oldest.number - 1, oldest.parent, ZERO_HASH))


@dataclass(frozen=True, slots=True)
class ReadRange:
    """One pass over the log, offsets [``start``, ``stop``), that meets ``blocks`` (newest first), and perhaps dead ones."""

    start: int
    stop: int
    blocks: tuple[LiveBlock, ...]


def read_ranges(plan: UndoPlan, span: int) -> list[ReadRange]:
    """Cuts a plan into passes of at most ``span`` offsets (one block may be longer), newest first, so memory stays flat."""
    ranges: list[ReadRange] = []
    group: list[LiveBlock] = []
    for block in plan.blocks:
        if group and group[0].marker - block.start >= span:
            ranges.append(_range(group))
            group = []
        group.append(block)
    return [*ranges, _range(group)] if group else ranges


def _range(group: list[LiveBlock]) -> ReadRange:
    return ReadRange(group[-1].start, group[0].marker + 1, tuple(group))
