"""What the supervisor takes for ill, by real probes: one that starts is given more time than one that has started."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from streams.health import Health, Look
from streams.ops.recovery.ailments import Kind
from streams.ops.recovery.decide import Action, Strategy
from streams.ops.recovery.incidents import Limits
from streams.ops.recovery.programs import Program, Programs
from streams.ops.recovery.strategies import Strategies
from streams.ops.recovery.supervisor import Patience, Supervisor
from streams.probe_server import serve_probes

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
