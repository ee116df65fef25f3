"""When an answer is still the answer: the state it was computed in, named so that equal names mean equal answers.

An answer is a function of the request, the agent's rows, the agent's vectors, the second it is asked in (what a row says may
start or end to be true), and of what the chain view says of the blocks on which the rows stand (those that their facts name).
Settings and model do not change while a process lives; the point of the chain an answer speaks of is written into it when it is
sent. So its stamp holds:
  * the versions of the agent in the store of memories and in the store of vectors. They change in the very transactions that
    change the rows, and never name two contents. The lattice checksum that the log publishes names the rows too, but later than
    they change: between a write and its root two contents have one checksum. It is what proofs are made against, not a key.
  * the view. In the same step of the log it is the same view. In a later step it says the same of the rows' blocks if
      - all of them from the view's floor upwards were held (``settled``). One that was not, because the store was ahead of the
        view or behind an undo, may be held after any step;
      - no undo since reached below the highest of them (``top``): what it removes lies above its common ancestor, and held
        blocks at or below that stay held. So a new block, and an undo above the agent's last row, evict nothing;
      - no step changed what it says of blocks below the floor (``rewrites``), where rows are not looked through.
  * the time from the second it was computed for until the next one at which something in the rows starts or ends.
A row of a block that the view has not seen comes with a new version, or was there and kept the answer from being settled.
A stamp is made only if versions and view stood still from before the answer was computed until after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from streams.core.canonical import CanonicalView
from streams.ports.stores import MemoryStore, Version
from streams.serving.chain import ChainReader


class Versioned(Protocol):
    """Anything an answer is computed from."""

    async def version(self, agent: bytes) -> Version | None:
        """Names what it holds of the agent; None if it cannot tell."""


Versions = tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """What an answer may be computed from, seen before it is. ``now``: the second it is asked in."""

    versions: Versions
    sequence: int | None
    now: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """The state an answer was computed in. ``turn``: the second from which on it may be another one; None is never."""

    versions: Versions
    sequence: int | None
    now: int
    turn: int | None
    settled: bool
    top: int
    undo_count: int
    rewrites: int


class Freshness:
    """``others``: what answers are computed from beside the memories; each changes its version when its content changes."""

    def __init__(self, chain: ChainReader, memories: MemoryStore, others: Sequence[Versioned]) -> None:
        self._chain = chain
        self._memories = memories
        self._others = tuple(others)

    async def versions(self, agent: bytes) -> Versions | None:
        """All versions of the agent; None if one is unknown, and nothing may be kept."""
        found = []
        for source in (self._memories, *self._others):
            version = await source.version(agent)
            if version is None:
                return None
            found.append(version)
        return tuple(found)

    def moment(self, versions: Versions, now: int) -> Moment:
        """What is there. Whatever is awaited from here on belongs to the computation."""
        return Moment(versions, self._chain.view.sequence, now)

    async def stamp(self, agent: bytes, before: Moment) -> Stamp | None:
        """The stamp of an answer computed since ``before``; None if something moved meanwhile."""
        view = self._chain.view
        floor = 0 if view.floor is None else view.floor
        footing = await self._memories.footing(agent, floor, before.now)
        if footing is None or await self.versions(agent) != before.versions:
            return None
        if view.sequence != before.sequence or footing.version != before.versions[0]:
            return None
        return Stamp(
            versions=before.versions,
            sequence=view.sequence,
            now=before.now,
            turn=footing.turn,
            settled=all(view.holds(number, block_hash) for number, block_hash in footing.blocks),
            top=footing.blocks[-1][0] if footing.blocks else floor - 1,
            undo_count=view.undo_count,
            rewrites=view.rewrites,
        )

    def fresh(self, stamp: Stamp, versions: Versions, now: int) -> bool:
        """Whether an answer with this stamp is the one to a question of second ``now``, for an agent at ``versions``."""
        if stamp.versions != versions or now < stamp.now or (stamp.turn is not None and now >= stamp.turn):
            return False
        return view_agrees(self._chain.view, stamp)


def view_agrees(view: CanonicalView, stamp: Stamp) -> bool:
    """Whether the view says of the blocks behind the stamp what it said then."""
    if view.sequence == stamp.sequence:
        return True
    if not stamp.settled or view.rewrites != stamp.rewrites:
        return False
    if view.undo_count == stamp.undo_count:
        return True
    lowest = view.lowest_since(stamp.undo_count)
    return lowest is not None and lowest >= stamp.top
