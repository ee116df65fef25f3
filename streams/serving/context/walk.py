"""Lays a window over an agent's history, newest first, from the newest memory or from a cursor on.

Assumes the caller checks each row once more by the chain view after its last wait.
Invariant: at most ``EXAMINED`` memories are looked at; where that was not enough the window ends there, and the walk can go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.records import Memory
from streams.core.moment import Moment
from streams.ports.stores import StoredMemory
from streams.retrieval.ranked import Ranked
from streams.serving.context.history import Place
from streams.serving.context.request import Admits, Only
from streams.serving.context.window import Actions, Filling, Temporal, Window, admits
from streams.serving.reads import MemoryReads
from streams.serving.wire import text_of

EXAMINED = 10_000
PAGE = 256


@dataclass(frozen=True, slots=True)
class Laid:
    """A window's members, newest first. ``more``: something lies behind them. ``end``: the last memory in or in front of it."""

    filling: Filling
    end: Place | None
    more: bool


@dataclass(frozen=True, slots=True)
class Members:
    """What a window holds as text. ``not_text``: members that are none. ``places``: of ``ranked``, in the same order."""

    ranked: list[Ranked]
    not_text: int
    end: Place | None
    more: bool


async def lay(reads: MemoryReads, agent: bytes, window: Window, only: Only, start: Place | None, *, when: Moment) -> Laid:
    """The window behind ``start``. Raises as reads do."""
    filling, end, looked = Filling(window), start, 0
    wanted = replace(only.filter(window), limit=min(PAGE, 2 * window.size))
    while looked < EXAMINED:
        after = None if end is None else (end.timestamp, end.memory_id)
        page = await reads.list(agent, replace(wanted, after=after), when)
        for memory, _ in page:
            if not filling.take(memory):
                return Laid(filling, end, more=True)
            end = Place(memory["timestamp"], memory["id"])
        looked += len(page)
        if len(page) < wanted.limit:
            return Laid(filling, end, more=False)
    return Laid(filling, end, more=True)


async def members(
    reads: MemoryReads, agent: bytes, window: Window, only: Only, start: Place | None, *, when: Moment
) -> Members:
    """The window's memories, newest first, scored by how much they belong."""
    laid = await lay(reads, agent, window, only, start, when=when)
    found: Sequence[Memory] = laid.filling.members
    rows: list[StoredMemory | None] = await reads.rows(agent, [memory["id"] for memory in found])
    ranked: list[Ranked] = []
    not_text = 0
    for memory, row, score in zip(found, rows, laid.filling.strengths(), strict=True):
        text = text_of(memory)
        if text is None:
            not_text += 1
        elif row is not None:
            ranked.append(Ranked(memory, row, text, score, 0.0))
    return Members(ranked, not_text, laid.end, laid.more)


async def admitted(reads: MemoryReads, agent: bytes, window: Window | None, only: Only, when: Moment) -> Admits:
    """Which memories may answer a question asked of this window."""
    if window is None:
        return only.admits
    if isinstance(window, Actions):
        laid = await lay(reads, agent, replace(window, size=EXAMINED), only, None, when=when)
        chosen = frozenset(memory["id"] for memory in laid.filling.members)
        return lambda memory: memory["id"] in chosen
    newest = 0
    if isinstance(window, Temporal):
        first = await reads.list(agent, replace(only.filter(), limit=1), when)
        newest = first[0].memory["timestamp"] if first else 0
    return lambda memory: only.admits(memory) and admits(window, memory, newest)
