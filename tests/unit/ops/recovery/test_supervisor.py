"""What the supervisor takes for ill, by real probes; what becomes of an action that fails, or meets what nobody expected."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from streams.errors import PositionLostError
from streams.health import Health, Look
from streams.last_words import LastWords, happened_at
from streams.metrics import REGISTRY
from streams.ops.recovery.ailments import Kind
from streams.ops.recovery.decide import Action, Strategy
from streams.ops.recovery.incidents import Limits
from streams.ops.recovery.programs import Program, Programs, StartError
from streams.ops.recovery.strategies import Strategies
from streams.ops.recovery.supervisor import Supervisor
from streams.ops.recovery.watched import Patience
from streams.probe_server import serve_probes
from streams.runtime import metrics as runtime
from streams.switches import FILE, read

NAME = "worker-1"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Noted(Strategies):
    """Does nothing."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        super().__init__(programs, folder / "switches.json", lambda: pytest.fail("not asked"), 1.0, 1)
        self.done: list[Strategy] = []

    async def carry_out(self, action: Action, start: Callable[[str], None]) -> None:
        self.done.append(action.strategy)


@pytest.fixture
def health() -> Health:
    return Health(60)


@pytest.fixture
def port(health: Health) -> Iterator[int]:
    server = serve_probes("127.0.0.1", 0, health)
    yield server.port
    server.stop()


async def test_one_that_starts_has_more_time_than_one_that_has_started(tmp_path: Path, health: Health, port: int) -> None:
    programs, clock = Programs(tmp_path, [Program(NAME, Kind.WORKER, (), port)]), Clock()
    noted = Noted(programs, tmp_path)
    supervisor = Supervisor(programs, noted, Limits(patience=20), Patience(start=60), clock=clock)

    async def looks(*later: float) -> list[Strategy]:
        for seconds in later:
            clock.now += seconds
            await supervisor._turn(session)
            await asyncio.sleep(0)
        return noted.done

    async with aiohttp.ClientSession() as session:
        assert await looks(0, 30, 25) == []  # it loads a model
        health.look(Look(True, ["it is being opened"]))
        assert await looks(1, 1, 19) == []  # counted from when it had started
        assert await looks(2) == [Strategy.RESTART]
        for task in supervisor._acting.values():
            task.cancel()


async def test_one_that_never_starts_is_ill_in_the_end(tmp_path: Path, port: int) -> None:
    programs, clock = Programs(tmp_path, [Program(NAME, Kind.WORKER, (), port)]), Clock()
    noted = Noted(programs, tmp_path)
    supervisor = Supervisor(programs, noted, Limits(patience=20), Patience(start=60), clock=clock)
    async with aiohttp.ClientSession() as session:
        for _ in range(3):
            await supervisor._turn(session)
            await asyncio.sleep(0)
            clock.now += 31
        assert noted.done == [Strategy.RESTART]
        for task in supervisor._acting.values():
            task.cancel()


async def test_one_that_reads_tables_first_has_as_much_more_time_as_it_says(tmp_path: Path, health: Health, port: int) -> None:
    programs, clock = Programs(tmp_path, [Program("ops", Kind.OPS, (), port, opening=240.0)]), Clock()
    noted = Noted(programs, tmp_path)
    supervisor = Supervisor(programs, noted, Limits(patience=20), Patience(start=60), clock=clock)
    health.look(Look(False, ["its tables are being read"]))
    async with aiohttp.ClientSession() as session:
        for seconds, expected in ((0, []), (0, []), (299, []), (2, [Strategy.RESTART])):
            clock.now += seconds
            await supervisor._turn(session)
            await asyncio.sleep(0)
            assert noted.done == expected
        for task in supervisor._acting.values():
            task.cancel()


async def test_one_that_gets_on_at_opening_is_left_alone_and_one_that_stands_still_is_not(
    tmp_path: Path, health: Health, port: int
) -> None:
    programs, clock = Programs(tmp_path, [Program(NAME, Kind.WORKER, (), port)]), Clock()
    noted = Noted(programs, tmp_path)
    supervisor = Supervisor(programs, noted, Limits(patience=20), Patience(start=60), clock=clock)

    async def looks(count: int) -> list[Strategy]:
        for _ in range(count):
            health.look(Look(True, ["opened/0: is being opened", "opened/1: is being opened"]))
            await supervisor._turn(session)
            await asyncio.sleep(0)
            clock.now += 10
        return noted.done

    async with aiohttp.ClientSession() as session:
        for _ in range(12):
            runtime.RESTORED.labels("opened").inc(500)
            assert await looks(1) == []
        assert await looks(3) == [Strategy.RESTART]
        for task in supervisor._acting.values():
            task.cancel()


async def test_who_waits_for_brokers_that_are_away_is_left_alone_until_they_are_back(
    tmp_path: Path, health: Health, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    programs, clock = Programs(tmp_path, [Program(NAME, Kind.WORKER, (), port)]), Clock()
    noted, listening, asked = Noted(programs, tmp_path), [False], []

    async def brokers() -> bool:
        asked.append(clock.now)
        return listening[0]

    supervisor = Supervisor(programs, noted, Limits(patience=20), Patience(start=60), brokers=brokers, clock=clock)

    async def looks(count: int, *complaints: str) -> list[Strategy]:
        for _ in range(count):
            health.look(Look(True, complaints))
            await supervisor._turn(session)
            await asyncio.sleep(0)
            clock.now += 10
        return noted.done

    async with aiohttp.ClientSession() as session:
        assert await looks(2) == []
        assert not asked, "nobody is unwell"
        assert await looks(12, "memory: the broker: no answer") == []
        assert caplog.text.count("no broker listens") == 1
        listening[0] = True
        assert await looks(2, "memory: the broker: no answer") == [], "patience begins anew"
        assert "works again" in caplog.text
        assert await looks(2, "memory: the broker: no answer") == [Strategy.RESTART], "it is its own trouble then"
        for task in supervisor._acting.values():
            task.cancel()


class Gone(Programs):
    """One that has died of a lost position, and starts no more."""

    def ended(self, name: str) -> int | None:
        return 1

    def words(self, name: str) -> LastWords:
        error = PositionLostError("the log begins later")
        happened_at(error, "memory/3")
        return LastWords.of(error)

    def start(self, name: str) -> None:
        raise StartError("no process left")


async def told_of(supervisor: Supervisor, turns: int) -> list[tuple[Strategy, str]]:
    """What the supervisor said in so many turns."""
    told: list[tuple[Strategy, str]] = []
    supervisor.told = lambda action, outcome: told.append((action.strategy, outcome))
    async with aiohttp.ClientSession() as session:
        for _ in range(turns):
            await supervisor._turn(session)
            await asyncio.sleep(0.01)
    return told


@pytest.mark.parametrize("what", ["a folder", "nonsense"])
async def test_a_partition_is_not_taken_for_isolated_where_the_switch_was_not_written(tmp_path: Path, what: str) -> None:
    if what == "a folder":
        (tmp_path / FILE).mkdir()
    else:
        (tmp_path / FILE).write_text("{")
    programs = Gone(tmp_path, [Program(NAME, Kind.WORKER, (), 1)])
    strategies = Strategies(programs, tmp_path / FILE, lambda: pytest.fail("not asked"), 1.0, 1)
    supervisor = Supervisor(programs, strategies, Limits(pause=0.0))
    told = await told_of(supervisor, 6)
    assert [strategy for strategy, _ in told] == [Strategy.ISOLATE] * 3 + [Strategy.ASK]
    assert all(outcome.startswith("failed: hold memory/3: ") for _, outcome in told[:3])
    assert "3 attempts have not helped" in supervisor.summary().complaints[0]
    assert [path.name for path in tmp_path.iterdir()] == [FILE.name], "no rest of an attempt"


async def test_a_partition_is_isolated_though_the_process_does_not_start(tmp_path: Path) -> None:
    programs = Gone(tmp_path, [Program(NAME, Kind.WORKER, (), 1)])
    strategies = Strategies(programs, tmp_path / FILE, lambda: pytest.fail("not asked"), 1.0, 1)
    told = await told_of(Supervisor(programs, strategies, Limits(pause=0.0)), 6)
    assert told[0] == (Strategy.ISOLATE, "failed: no process left")
    assert list(read(tmp_path / FILE)) == ["hold memory/3"]


async def test_a_defect_of_a_strategy_ends_the_supervisor_with_it(tmp_path: Path) -> None:
    class Broken(Noted):
        async def carry_out(self, action: Action, start: Callable[[str], None]) -> None:
            raise KeyError("a defect")

    class Quiet(Gone):
        def start(self, name: str) -> None:
            """Nothing is to be started."""

        def words(self, name: str) -> None:
            """It said nothing."""

    programs = Quiet(tmp_path, [Program(NAME, Kind.WORKER, (), 1)])
    supervisor = Supervisor(programs, Broken(programs, tmp_path), patience=Patience(look=0.01))
    with pytest.raises(KeyError, match="a defect"):
        async with asyncio.timeout(20):
            await supervisor.run(asyncio.Event())


async def test_one_that_cannot_be_started_at_first_ends_it_with_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    programs = Programs(tmp_path / "file", [Program(NAME, Kind.WORKER, (), 1)])
    supervisor = Supervisor(programs, Noted(programs, tmp_path))
    with pytest.raises(StartError, match="worker-1 cannot be started"):
        await supervisor.run(asyncio.Event())


@pytest.mark.parametrize(("counted", "grown"), [(False, 1), (True, 0)])
async def test_the_error_that_a_process_ended_with_is_counted_once(tmp_path: Path, counted: bool, grown: int) -> None:
    class Ended(Gone):
        def words(self, name: str) -> LastWords:
            return replace(super().words(name), counted=counted)

    programs = Ended(tmp_path, [Program(NAME, Kind.WORKER, (), 1)])
    strategies = Strategies(programs, tmp_path / FILE, lambda: pytest.fail("not asked"), 1.0, 1)
    lost = {"category": "processing", "severity": "critical"}
    before = REGISTRY.get_sample_value("monmouth_errors_total", lost) or 0.0
    supervisor = Supervisor(programs, strategies, Limits(pause=0.0))
    failed = {"strategy": "isolate", "outcome": "failed"}
    attempts = REGISTRY.get_sample_value("monmouth_recovery_operations_total", failed) or 0.0
    told = await told_of(supervisor, 6)
    assert len(told) > 1, "it failed to start again and again"
    isolated = told.count((Strategy.ISOLATE, "failed: no process left"))
    assert REGISTRY.get_sample_value("monmouth_recovery_operations_total", failed) == attempts + isolated > attempts
    assert REGISTRY.get_sample_value("monmouth_errors_total", lost) == before + grown


@pytest.mark.parametrize(("strategy", "grown"), [(Strategy.RESTART, 0), (Strategy.FORCED, 0), (None, 1)])
async def test_an_end_that_the_supervisor_caused_is_no_error_though_the_start_fails(
    tmp_path: Path, strategy: Strategy | None, grown: int
) -> None:
    """None: somebody else kills it."""

    class NoMore(Programs):
        def start(self, name: str) -> None:
            raise StartError("no process left")

    programs = NoMore(tmp_path, [Program(NAME, Kind.WORKER, (), 1)])
    process = programs.all[NAME].process = subprocess.Popen(["sleep", "600"])
    strategies = Strategies(programs, tmp_path / FILE, lambda: pytest.fail("not asked"), 1.0, 1)
    supervisor = Supervisor(programs, strategies, Limits(pause=600.0))
    unknown = {"category": "unknown", "severity": "high"}
    before = REGISTRY.get_sample_value("monmouth_errors_total", unknown) or 0.0
    if strategy is None:
        process.kill()
        process.wait()
    else:
        supervisor.begin(Action(strategy, NAME, NAME, "it hangs"))
        await asyncio.gather(*supervisor._acting.values())
    assert programs.ended(NAME)
    async with aiohttp.ClientSession() as session:
        await supervisor._look(session, NAME)
    assert supervisor._ailment(NAME, 100.0) is not None
    assert REGISTRY.get_sample_value("monmouth_errors_total", unknown) == before + grown


async def test_one_that_was_killed_counts_as_unknown_and_one_that_ended_well_as_nothing(tmp_path: Path) -> None:
    class Killed(Gone):
        code = -9

        def ended(self, name: str) -> int | None:
            return self.code

        def words(self, name: str) -> None:  # type: ignore[override]
            return None

    unknown = {"category": "unknown", "severity": "high"}
    before = REGISTRY.get_sample_value("monmouth_errors_total", unknown) or 0.0
    for code, grown in ((-9, 1), (0, 1)):
        programs = Killed(tmp_path, [Program(NAME, Kind.WORKER, (), 1)])
        programs.code = code
        strategies = Strategies(programs, tmp_path / FILE, lambda: pytest.fail("not asked"), 1.0, 1)
        await told_of(Supervisor(programs, strategies, Limits(pause=0.0)), 2)
        assert REGISTRY.get_sample_value("monmouth_errors_total", unknown) == before + grown
