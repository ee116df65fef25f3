"""Snapshots that break are said to be broken, and keep nothing from ending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from streams.core.sync.digests import ChainFact
from streams.errors import MonmouthError
from streams.ports.stores import Changes
from streams.serving.faults import ConflictError, RateLimitedError
from streams.serving.sync.snapshots import Snapshots, StoreFacts
from tests.unit.serving.sync.sides import Deployment, agent_of


class Broken:
    """Facts that a defect keeps from being read."""

    async def agents(self) -> AsyncIterator[bytes]:
        raise RuntimeError("a defect")
        yield b""


async def test_a_defect_is_told_to_whoever_asks_and_does_not_disturb_the_end() -> None:
    world = Deployment().world
    facts: Any = Broken()
    snapshots = Snapshots(facts, world.chain)
    made = snapshots.open(world.blocks[0])
    assert made.task is not None
    await asyncio.wait([made.task])
    with pytest.raises(MonmouthError, match="broke: RuntimeError"):
        snapshots.get(made.id)
    await snapshots.close()


async def test_each_who_asks_for_a_broken_one_gets_an_error_of_his_own() -> None:
    """One object raised again and again would gather a trace of all of them."""
    world = Deployment().world
    facts: Any = Broken()
    snapshots = Snapshots(facts, world.chain)
    made = snapshots.open(world.blocks[0])
    assert made.task is not None
    await asyncio.wait([made.task])
    made.fault = RateLimitedError("too many", "Wait.", retry_after=7)
    told = []
    for _ in range(3):
        with pytest.raises(RateLimitedError, match="too many") as refused:
            snapshots.get(made.id)
        told.append(refused.value)
    assert len({id(error) for error in [*told, made.fault]}) == 4
    assert made.fault.__traceback__ is None
    assert [(error.hint, error.retry_after) for error in told] == [("Wait.", 7)] * 3


@pytest.mark.parametrize("most", [1, 2, 5, 100])
async def test_a_page_opens_the_rows_of_the_page(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    side = Deployment()
    await side.blocks(12, agents=2)
    facts, agent = StoreFacts(side.store, side.world.chain), agent_of(1)
    height = side.world.blocks[-1].number
    whole = await facts.of(agent, height)
    assert len(whole) == 12
    opened: list[int] = []
    asked = side.store.get

    async def counted(owner: bytes, ids: Sequence[bytes]) -> Any:
        opened.append(len(ids))
        return await asked(owner, ids)

    monkeypatch.setattr(side.store, "get", counted)
    paged: list[ChainFact] = []
    after: bytes | None = None
    while page := await facts.of(agent, height, after, most):
        assert opened[-1] <= most and len(opened) == len(paged) // most + 1
        paged += page
        after = page[-1].memory_id
    assert paged == whole and sum(opened) == len(whole)


async def test_rows_that_do_not_stand_still_are_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    side = Deployment()
    await side.blocks(2, agents=2)

    async def moving(agent: bytes, since: object, limit: int) -> Changes:
        return Changes(since, [], True, True)  # type: ignore[arg-type]

    monkeypatch.setattr(side.store, "changes", moving)
    with pytest.raises(ConflictError, match="changed too much"):
        await StoreFacts(side.store, side.world.chain).of(agent_of(1), 2)
