"""Checkpoints as an operator lists and makes them; a named one is a place to go back to, and leads nobody astray."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from streams.cli.replay import run
from streams.core.checkpoint import Trigger, trigger_of
from streams.errors import MonmouthError
from streams.upkeep.checkpoints import LIMIT, CheckpointError, create, delete, listed
from streams.upkeep.replay import ReplayError, Start, plan
from tests.fakelog import FakeBroker
from tests.toys import factory
from tests.unit.runtime.driving import Tally, caught_up, check_tally, publish, settings, until, worker
from tests.unit.runtime.test_replay import LIMITS, grown
from tests.unit.upkeep.test_replay import pipeline, worked


async def test_every_trigger_is_listed_with_its_place(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    at = pipeline(broker, tmp_path)
    async with worker(broker, settings(tmp_path), [factory(Tally)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        (made, _) = await create(at, "tally", "here", [0, 1])
        await asyncio.wait_for(run(at, "tally", Start(block=6), [0]), 30)
        found = {each.slot: each for each in await listed(at, ["tally"], [0])}
    assert {each.trigger for each in found.values()} == set(Trigger)
    assert found["m.here"].block == made.at.block.number == chain.head.number
    assert found["m.here"].digest == found["tip"].digest
    assert found["m.here"].offset == broker.committed["tally", ("chain.transactions", 0)]
    assert [each.block for each in await listed(at, ["tally"], [1])] == sorted(
        each.block for each in await listed(at, ["tally"], [1])
    )


async def test_going_back_to_a_checkpoint_of_ones_own(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown(6)
    publish(broker, chain)
    at = pipeline(broker, tmp_path)
    async with worker(broker, settings(tmp_path), [factory(Tally)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        await create(at, "tally", "before", [0, 1])
        height, published = chain.head.number, len(chain.steps)
        for n in range(5):
            chain.add([n, 2], fork="after")
        publish(broker, chain, published)
        await until(lambda: caught_up(broker, "tally"), task)
        (would, _) = await plan(at, "tally", Start(checkpoint="m.before"), [0, 1])
        assert (would.first, would.blocks) == (height + 1, 5)
        await asyncio.wait_for(run(at, "tally", Start(checkpoint="m.before"), [0, 1]), 30)
        published = len(chain.steps)
        chain.undo(7)  # the checkpoint's own block goes, and comes again at another place
        chain.add([1], fork="other")
        publish(broker, chain, published)
        await until(lambda: caught_up(broker, "tally"), task)
        with pytest.raises(ReplayError, match=r"of checkpoint m\.before does not stand any more"):
            await plan(at, "tally", Start(checkpoint="m.before"), [0])
    check_tally(broker, chain)


async def test_what_is_refused(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    at = pipeline(broker, tmp_path)
    with pytest.raises(CheckpointError, match="tally/0 has not taken a block in yet"):
        await create(at, "tally", "x", [0])
    await worked(broker, chain, tmp_path)
    for name in ("", "a/b", "-x", "x" * 65):
        with pytest.raises(CheckpointError, match="is no name for a checkpoint"):
            await create(at, "tally", name, [0])
    with pytest.raises(CheckpointError, match=re.escape("no checkpoint m.none")):
        await delete(at, "tally", "none", [0])
    for n in range(LIMIT):
        await create(at, "tally", f"n{n}", [0])
    with pytest.raises(MonmouthError, match=f"has {LIMIT} checkpoints of your own"):
        await create(at, "tally", "more", [0])
    await create(at, "tally", "n0", [0])  # the same name again is none more
    assert await delete(at, "tally", "n0", [0, 1]) == 1
    await create(at, "tally", "more", [0])


@pytest.mark.parametrize(
    ("slot", "trigger"),
    [("tip", "StateTransition"), ("17", "StateTransition"), ("hb0.3", "Periodic"), ("ht2.1", "Periodic"),
     ("m.mine", "Manual"), ("r.3", "Reorg"), ("e.0", "Emergency"), ("m.h", "Manual")],
)  # fmt: skip
def test_triggers_follow_from_slots(slot: str, trigger: str) -> None:
    assert trigger_of(slot) == trigger
