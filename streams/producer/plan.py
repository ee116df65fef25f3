"""What to do about a head: pure decisions on the fork view, without asking anyone.

Invariant: nothing here undoes a block because of one answer of a node whose head is below our tip; that takes
``confirmations`` answers in a row that name the same head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from streams.core.block import BlockRef
from streams.core.forkview import ForkView, Undo, linked
from streams.ports.chain import Block


class Standing(StrEnum):
    """How a head stands to the view."""

    EMPTY = "empty"
    CURRENT = "current"
    ANCESTOR = "ancestor"
    LOWER = "lower"
    UNKNOWN = "unknown"


def standing(view: ForkView, head: BlockRef) -> Standing:
    """CURRENT: our tip. ANCESTOR: a known block below it. LOWER: an unknown one below it. UNKNOWN: at its height or above."""
    if view.tip is None:
        return Standing.EMPTY
    if view.holds(head):
        return Standing.CURRENT if head.hash == view.tip.hash else Standing.ANCESTOR
    return Standing.LOWER if head.number < view.tip.number else Standing.UNKNOWN


@dataclass(frozen=True, slots=True)
class RewindWatch:
    """How many polls in a row named the same head below our tip."""

    head: bytes = b""
    polls: int = 0

    def seen(self, head: BlockRef) -> RewindWatch:
        """After one more poll."""
        return RewindWatch(head.hash, self.polls + 1 if head.hash == self.head else 1)


@dataclass(frozen=True, slots=True)
class Advance:
    """One change of the chain: take ``undo`` back, add ``blocks``, then call everything up to ``final`` final.

    ``settled``: height up to which the source calls its chain final; blocks at or below it may share a Kafka transaction.
    ``base``: the view this was planned on, if that reaches further back than the one asked about.
    """

    undo: Undo | None = None
    blocks: list[Block] = field(default_factory=list)
    final: BlockRef | None = None
    settled: int = -1
    base: ForkView | None = None


def extension(tip: BlockRef | None, blocks: Sequence[Block]) -> list[Block]:
    """The longest front of ``blocks`` that links to ``tip`` and in itself; a source may change its mind while it is read."""
    usable: list[Block] = []
    for block in blocks:
        if tip is not None and not linked([tip, block.ref]):
            break
        usable.append(block)
        tip = block.ref
    return usable


def settled(head: BlockRef, tag: BlockRef | None, depth: int) -> int:
    """Height up to which the chain of ``head`` is final: the node's own tag, else ``depth`` blocks below the head."""
    return head.number - depth if tag is None else min(tag.number, head.number)


def finality(view: ForkView, tag: BlockRef | None, limit: int, *, fresh: bool) -> BlockRef | None:
    """The block to call final now, or None to leave the line where it is. ``limit``: what ``settled`` says of the head.

    A limit or a tag above our tip makes the tip final only if the tip is ``fresh``: read as canonical after the tag was. Else
    the source may have gone to another branch between naming its head and its tag.
    A tag that is not on our branch says nothing until we have followed the source there.
    """
    if view.tip is None:
        return None
    highest = limit if tag is None else max(limit, tag.number)
    if highest > view.tip.number and not fresh:
        return None
    wanted = view.at(min(limit, view.tip.number))
    if wanted is None or (view.final is not None and wanted.number <= view.final.number):
        return None
    if tag is not None and tag.number == wanted.number and tag.hash != wanted.hash:
        return None
    return wanted
