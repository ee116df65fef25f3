"""Nothing stale is served, whatever moves and whenever; and the simulation that says so would say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from streams.ports.stores import MemoryStore, Version
from streams.serving.cache.finder import CachedFinder
from streams.serving.cache.freshness import Freshness, Moment, Stamp, Versioned, Versions
from streams.serving.cache.levels import Event, Limits
from streams.serving.chain import ChainReader
from streams.serving.context.request import ContextRequest
from tests.cache_simulation import FEW, MANY, MakeFreshness, simulate
from tests.steps import block, step_final, step_new, step_undo
from tests.unit.serving.world import ALICE, World, upsert

OPERATIONS = 20_000
FIXED = Version(1, 1)


@pytest.mark.parametrize("remembered", [MANY, FEW])
def test_nothing_stale_is_served(remembered: int) -> None:
    verdict = simulate(1, OPERATIONS // 2, undone_limit=remembered)
    assert verdict.stale == []
    assert verdict.hits > verdict.questions // 10
    assert {Event.L1_HIT, Event.L2_HIT, Event.STALE, Event.PURGED, Event.EXPIRED} <= set(verdict.events)
    looks = sum(verdict.events[e] for e in (Event.L1_HIT, Event.L2_HIT, Event.ABSENT, Event.STALE, Event.EXPIRED))
    assert looks == verdict.questions


class NoMemories(Freshness):
    """The memories' version left out."""

    async def versions(self, agent: bytes) -> Versions | None:
        found = await super().versions(agent)
        return None if found is None else (FIXED, *found[1:])

    async def stamp(self, agent: bytes, before: Moment) -> Stamp | None:
        footing = await self._memories.footing(agent, 0, 0)
        assert footing is not None
        made = await Freshness.stamp(
            _Unbroken.of(self), agent, replace(before, versions=(footing.version, *before.versions[1:]))
        )
        return None if made is None else replace(made, versions=before.versions)


class NoVectors(Freshness):
    """The vectors' version left out."""

    def __init__(self, chain: ChainReader, memories: MemoryStore, others: Sequence[Versioned]) -> None:
        super().__init__(chain, memories, ())


class NoUndo(Freshness):
    """Undos left out."""

    def fresh(self, stamp: Stamp, versions: Versions, now: int) -> bool:
        return super().fresh(replace(stamp, top=-1), versions, now)


class NoSettling(Freshness):
    """Rows of blocks that the view does not hold taken as settled."""

    async def stamp(self, agent: bytes, before: Moment) -> Stamp | None:
        made = await super().stamp(agent, before)
        return None if made is None else replace(made, settled=True)


class NoRewrites(Freshness):
    """Steps below the floor left out."""

    def fresh(self, stamp: Stamp, versions: Versions, now: int) -> bool:
        return super().fresh(replace(stamp, rewrites=self._chain.view.rewrites), versions, now)


class NoTurn(Freshness):
    """Time left out."""

    def fresh(self, stamp: Stamp, versions: Versions, now: int) -> bool:
        return super().fresh(replace(stamp, turn=None), versions, now)


class NoSecondLook(Freshness):
    """What moved while the answer was computed left out: the stamp names the state at its end."""

    async def stamp(self, agent: bytes, before: Moment) -> Stamp | None:
        versions = await self.versions(agent)
        return None if versions is None else await super().stamp(agent, self.moment(versions, before.now))


class _Unbroken(Freshness):
    @classmethod
    def of(cls, other: Freshness) -> _Unbroken:
        return cls(other._chain, other._memories, other._others)


@pytest.mark.parametrize("broken", [NoMemories, NoVectors, NoUndo, NoTurn, NoSecondLook])
def test_a_name_that_leaves_something_out_is_caught(broken: MakeFreshness) -> None:
    assert any(simulate(seed, OPERATIONS // 4, broken).stale for seed in range(2, 12))


async def texts(finder: CachedFinder) -> int:
    return len((await finder.find(ContextRequest(ALICE, "swapped eth"))).items)


@pytest.mark.parametrize(("broken", "seen"), [(Freshness, 1), (NoSettling, 0)])
async def test_what_settling_is_for(world: World, broken: MakeFreshness, seen: int) -> None:
    """A store ahead of the view, which then sees the block."""
    finder = finder_of(world, broken)
    unseen = block(world.blocks[-1].number + 1, 0, world.blocks[-1].hash)
    await world.remember(upsert(ALICE, unseen, 0, "swapped eth"))
    assert await texts(finder) == 0
    world.chain.view.apply(step_new(1, unseen))
    assert await texts(finder) == seen


@pytest.mark.parametrize(("broken", "seen"), [(Freshness, 1), (NoRewrites, 0)])
async def test_what_rewrites_are_for(world: World, broken: MakeFreshness, seen: int) -> None:
    """A block far below what was thought final comes back."""
    finder = finder_of(world, broken)
    base, ref = world.blocks[-1], world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth"))
    for _ in range(200):
        tip = world.grow()
        world.chain.view.apply(step_final((world.chain.view.sequence or 0) + 1, tip, tip))
    world.chain.view.apply(step_undo((world.chain.view.sequence or 0) + 1, world.blocks[:0:-1], base))
    assert await texts(finder) == 0
    world.chain.view.apply(step_new((world.chain.view.sequence or 0) + 1, ref))
    assert await texts(finder) == seen


def finder_of(world: World, make: MakeFreshness) -> CachedFinder:
    freshness = make(world.chain, world.memories, [world.index])
    return CachedFinder(world.finder, world.reads, freshness, Limits(1 << 20, 4, 300))
