"""Nothing stale is served, whatever moves and whenever; and the simulation that says so would say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from streams.ports.stores import MemoryStore, Version
from streams.serving.cache.freshness import Freshness, Moment, Stamp, Versioned, Versions
from streams.serving.cache.levels import Event
from streams.serving.chain import ChainReader
from tests.cache_simulation import MakeFreshness, simulate

OPERATIONS = 20_000
FIXED = Version(1, 1)


def test_nothing_stale_is_served() -> None:
    verdict = simulate(1, OPERATIONS)
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
        footing = await self._memories.footing(agent, 0)
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

    def fresh(self, stamp: Stamp, versions: Versions) -> bool:
        return super().fresh(replace(stamp, top=-1), versions)


class NoSettling(Freshness):
    """Rows of blocks that the view does not hold taken as settled."""

    async def stamp(self, agent: bytes, before: Moment) -> Stamp | None:
        made = await super().stamp(agent, before)
        return None if made is None else replace(made, settled=True)


class NoRewrites(Freshness):
    """Steps below the floor left out."""

    def fresh(self, stamp: Stamp, versions: Versions) -> bool:
        return super().fresh(replace(stamp, rewrites=self._chain.view.rewrites), versions)


class NoSecondLook(Freshness):
    """What moved while the answer was computed left out: the stamp names the state at its end."""

    async def stamp(self, agent: bytes, before: Moment) -> Stamp | None:
        versions = await self.versions(agent)
        return None if versions is None else await super().stamp(agent, self.moment(versions))


class _Unbroken(Freshness):
    @classmethod
    def of(cls, other: Freshness) -> _Unbroken:
        return cls(other._chain, other._memories, other._others)


@pytest.mark.parametrize("broken", [NoMemories, NoVectors, NoUndo, NoSettling, NoRewrites, NoSecondLook])
def test_a_name_that_leaves_something_out_is_caught(broken: MakeFreshness) -> None:
    assert any(simulate(seed, OPERATIONS // 4, broken).stale for seed in range(2, 12))
