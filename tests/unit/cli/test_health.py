"""``monmouth health``: its exit code, what it shows to whom, and how often predictions are right."""

from __future__ import annotations

import asyncio
import json

from click.testing import CliRunner, Result

from streams import wall
from streams.cli.health import health
from streams.ops.reports import HealthPart, HealthReport
from streams.serving.app import create_app
from streams.serving.ops.processes import Process
from streams.settings import Settings
from tests.identity import OPERATOR_TOKEN
from tests.unit.serving.served import served
from tests.unit.serving.world import World


def run(*arguments: str, token: str | None = OPERATOR_TOKEN) -> Result:
    variables = {"COLUMNS": "400", "MONMOUTH_GATEWAY_TOKEN": token, "MONMOUTH_GATEWAY_TOKEN_FILE": None}
    return CliRunner().invoke(health, arguments, obj=Settings(), env=variables)


async def test_well_is_nought_and_failed_is_one_with_the_cause_first() -> None:
    world = World()
    async with served(create_app(world.services)) as url:
        well = await asyncio.to_thread(run, "--gateway", url)
        assert (well.exit_code, well.output.splitlines()[0]) == (0, "healthy  score 1.00")
        world.memories.broken = True
        await asyncio.sleep(1.1)  # older than what the probes may remember
        failed = await asyncio.to_thread(run, "--gateway", url)
        assert failed.exit_code == 1
        lines = [" ".join(line.split()) for line in failed.output.splitlines()]
        assert lines[0].startswith("failed score 0.")
        assert lines[1].startswith("memory_store failed ")
        assert lines[2] == "gateway degraded gateway degraded because memory_store failed"
        found = json.loads((await asyncio.to_thread(run, "--gateway", url, "--json")).output)
        assert found["roots"] == ["memory_store"]
        assert found["components"]["gateway"]["affected"] is True


async def test_degraded_is_nought() -> None:
    world = World()
    report = HealthReport("worker", "one", 0, "healthy", 1.0, (HealthPart("disk", "degraded", 0.5, "90 % used"),))
    world.processes.append(Process("worker", "one", seen_ms=int(1000 * wall.time_of_day()), health=report))
    async with served(create_app(world.services)) as url:
        found = await asyncio.to_thread(run, "--gateway", url)
    assert found.exit_code == 0
    assert "worker one: 90 % used" in found.output


async def test_without_the_operators_token_one_word_and_a_hint() -> None:
    world = World()
    async with served(create_app(world.services)) as url:
        found = await asyncio.to_thread(run, "--gateway", url.replace("127.0.0.1", "localhost"), token=None)
    assert found.output.splitlines() == [
        "healthy  score 1.00",
        "The gateway tells more to its operator: set MONMOUTH_GATEWAY_TOKEN_FILE.",
    ]


def test_no_gateway_is_one() -> None:
    found = run("--gateway", "http://127.0.0.1:9")
    assert found.exit_code == 1
    assert found.exception is not None


def test_the_backtest_counts_and_says_what_was_stated() -> None:
    found = json.loads(run("backtest", "--tries", "2", "--json").output)
    assert found["stated"] == 0.9
    assert 0 <= found["right"] <= 1
    assert {shape["tries"] for shape in found["shapes"]} == {2}
    assert run("backtest", "--tries", "1").output.splitlines()[-1].endswith("stated 0.90")
