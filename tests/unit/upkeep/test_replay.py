"""What a replay would do, asking for it, watching it, and what is refused before anything is written."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.exceptions import Exit

from streams.agents.base import StreamAgent
from streams.cli.replay import run
from streams.core.replay import Phase
from streams.errors import ConfigurationError
from streams.upkeep.pipeline import Pipeline, stream_agent
from streams.upkeep.replay import Progress, ReplayError, Start, Watcher, going_on, plan, request
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.fakelog import FakeBroker
from tests.toys import Copy, Tally, factory
from tests.unit.runtime.driving import caught_up, check_tally, publish, settings, until, worker
from tests.unit.runtime.test_replay import LIMITS, ask, grown, over

TOYS: dict[str, type[StreamAgent]] = {"tally": Tally, "copy": Copy}


def pipeline(broker: FakeBroker, tmp_path: Path) -> Pipeline:
    found = settings(tmp_path, partitions=broker.partitions)
    return Pipeline(broker, found, SIGNER, VERIFIER, TOYS.__getitem__)


async def worked(broker: FakeBroker, chain: ChainLog, tmp_path: Path, *specs: type[StreamAgent]) -> None:
    """A worker takes everything in and ends."""
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(spec) for spec in specs or (Tally, Copy)], LIMITS) as task:
        await until(lambda: all(caught_up(broker, spec.name) for spec in specs or (Tally, Copy)), task)


@pytest.mark.parametrize("agent", ["tally", "copy"])
async def test_a_dry_run_says_what_the_log_holds(tmp_path: Path, agent: str, capsys: pytest.CaptureFixture[str]) -> None:
    broker, chain = FakeBroker(), grown()
    await worked(broker, chain, tmp_path)
    before = dict(broker.committed)
    await run(pipeline(broker, tmp_path), agent, Start(block=5), [0, 1], dry_run=True, as_json=True)
    said = json.loads(capsys.readouterr().out)
    blocks = [(ref, placed) for ref, placed in chain.blocks if ref.number >= 5]
    for number, each in enumerate(said["partitions"]):
        assert (each["first_block"], each["head_block"], each["blocks"]) == (5, chain.head.number, len(blocks))
        assert each["records"] == sum(len(placed[number]) for _, placed in blocks) + len(blocks)
        assert each["start_offset"] < each["goal_offset"] == before[agent, ("chain.transactions", number)]
        assert each["checkpoint"] is None or agent == "tally"
    await run(pipeline(broker, tmp_path), agent, Start(block=5), [1], dry_run=True)
    assert re.search(rf"{agent}/1: \d+ blocks, 5 to .*; found from (checkpoint h[bt]|the beginning)", capsys.readouterr().out)
    assert broker.committed == before and not broker.read("replays", 0)


async def test_starts_by_time_and_by_checkpoint_are_blocks(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    await worked(broker, chain, tmp_path)
    at = pipeline(broker, tmp_path)
    (by_time,) = await plan(at, "tally", Start(time=1_700_000_006), [0])
    assert by_time.first == 6
    (by_slot,) = await plan(at, "tally", Start(checkpoint="hb0.0"), [0])
    assert by_slot.first == 6  # checkpoints of history are kept of every fifth block here
    assert by_slot.offsets == by_time.offsets


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (Start(block=99), "nothing to do again; the newest block there is 10"),
        (Start(block=0), "block 0 is not in the log, which begins with block 1"),
        (Start(time=1_900_000_000), "nothing to do again"),
        (Start(checkpoint="nope"), "has no checkpoint nope"),
        (Start(checkpoint="tip"), "has no checkpoint tip"),
    ],
)
async def test_what_cannot_be_found_is_said(tmp_path: Path, start: Start, message: str) -> None:
    broker, chain = FakeBroker(), ChainLog()
    for n in range(10):
        chain.add([n % 3])
    await worked(broker, chain, tmp_path)
    with pytest.raises(ReplayError, match=re.escape(message)):
        await plan(pipeline(broker, tmp_path), "tally", start, [0])


async def test_an_agent_that_never_worked_or_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="tally/0 has not taken a block in yet"):
        await plan(pipeline(FakeBroker(), tmp_path), "tally", Start(block=1), [0])
    with pytest.raises(ConfigurationError, match="no stream agent is called lettuce"):
        stream_agent("lettuce")


async def test_a_replay_is_watched_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    at = pipeline(broker, tmp_path)
    async with worker(broker, settings(tmp_path), [factory(Tally)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        await asyncio.wait_for(run(at, "tally", Start(block=3), [0, 1], as_json=True), 30)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [part["phase"] for part in lines[-1]["partitions"]] == ["DONE", "DONE"]
        assert lines[-1]["seconds_left"] == 0 and lines[-1]["partitions"][0]["done"] == 1
        await asyncio.wait_for(run(at, "tally", Start(block=2), [1], until="5"), 30)
        assert "blocks taken back" in capsys.readouterr().out
        await until(lambda: over(broker, "tally"), task)
        for last in ("1700000006", "2040-01-01T00:00:00Z"):  # times: of block 6, and of none
            await asyncio.wait_for(run(at, "tally", Start(block=4), [0], until=last), 30)
            await until(lambda: over(broker, "tally"), task)
        await until(lambda: over(broker, "tally") and caught_up(broker, "tally"), task)
    check_tally(broker, chain)


@pytest.mark.parametrize(("phase", "goes_on"), [(Phase.REDOING, True), (Phase.DONE, False)])
async def test_a_bound_is_of_the_wait_alone_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, phase: Phase, goes_on: bool
) -> None:
    """What is waited for is done, and more is under way or not."""
    broker, chain = FakeBroker(), grown()
    await worked(broker, chain, tmp_path)

    async def look(_: Watcher) -> list[Progress]:
        return [Progress(0, phase, 3, undone=6, redone=4, total=6, records=1, records_total=2, head=6)]

    monkeypatch.setattr(Watcher, "look", look)
    await asyncio.wait_for(run(pipeline(broker, tmp_path), "tally", Start(block=3), [0], until="5"), 30)
    assert ("done again up to block 5; the replay goes on behind it" in capsys.readouterr().err) is goes_on


async def test_one_at_a_time_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """No worker runs, so the first stays asked for."""
    broker, chain = FakeBroker(), grown()
    await worked(broker, chain, tmp_path)
    at = pipeline(broker, tmp_path)
    asked = await request(at, "tally", {0: 4, 1: 4}, None)
    assert await going_on(at, "tally", Start(block=4), [0, 1]) == asked
    assert await going_on(at, "tally", Start(time=1), [0, 1]) == asked
    for agent, start, numbers in (("tally", 5, [0, 1]), ("tally", 4, [0]), ("copy", 4, [0, 1])):
        with pytest.raises(ReplayError, match=r"another replay is going on: tally/. from block 4"):
            await going_on(at, agent, Start(block=start), numbers)
    with pytest.raises(ReplayError, match="another replay is going on"):
        await request(at, "copy", {0: 2}, None)
    async with Watcher(at, "tally", asked) as watcher:
        assert [(part.phase, part.done) for part in await watcher.look()] == [("REQUESTED", 0), ("REQUESTED", 0)]


async def test_two_commands_at_the_same_moment(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    await worked(broker, chain, tmp_path)
    at = pipeline(broker, tmp_path)
    tried = await asyncio.gather(*(request(at, "tally", {0: n}, None) for n in (2, 3, 4)), return_exceptions=True)
    refused = [error for error in tried if isinstance(error, ReplayError)]
    assert len(refused) == 2, tried


async def test_what_the_owner_refuses_ends_the_command_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    at = pipeline(broker, tmp_path)
    async with worker(broker, settings(tmp_path), [factory(Tally)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        ask(broker, "tally", 500, "later", partitions=(0,))
        with pytest.raises(Exit) as ended:
            await run(at, "tally", Start(block=500), [0])
    assert ended.value.exit_code == 1
    assert "refused: block 500 is not in the log yet" in capsys.readouterr().err


def test_an_estimate_counts_from_when_watching_began(tmp_path: Path) -> None:
    watcher: Any = Watcher(pipeline(FakeBroker(), tmp_path), "tally", None)  # type: ignore[arg-type]
    part = Progress(0, "UNDOING", 1, 20, 0, 100, 0, 500)  # type: ignore[arg-type]
    assert watcher.seconds_left([part], 10.0) is None
    assert watcher.seconds_left([replace(part, undone=70)], 20.0) == pytest.approx(26.0)
    assert part.done == 0.1
