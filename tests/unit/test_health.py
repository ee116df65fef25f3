"""What a process says of itself: each answer, and when it must be no."""

from __future__ import annotations

import asyncio

import pytest

from streams import health as module
from streams.errors import StoreError
from streams.health import Health, Look, Pulse, broken, watch


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_before_the_first_look_it_lives_and_nothing_else(clock: Clock) -> None:
    health = Health(60, clock)
    assert not health.live()
    assert health.startup() == health.ready() == ("it is starting",)


def test_started_stays_so_and_ready_does_not(clock: Clock) -> None:
    health = Health(60, clock)
    health.look(Look(False, ["waits"]))
    assert health.startup() == health.ready() == ("waits",)
    health.look(Look(True))
    assert not health.startup()
    assert not health.ready()
    health.look(Look(False, ["rewinds"]))
    assert not health.startup()
    assert health.ready() == ("rewinds",)


def test_not_started_says_no_even_without_a_complaint(clock: Clock) -> None:
    health = Health(60, clock)
    health.look(Look(False))
    assert health.startup() == ("it is starting",)


def test_a_loop_that_gets_no_turn_is_first_not_ready_then_dead(clock: Clock) -> None:
    health = Health(60, clock)
    health.look(Look(True))
    clock.now = 6.0
    assert health.ready() == ("the event loop has had no turn for 6 s",)
    assert not health.live()
    clock.now = 61.0
    assert health.live() == ("the event loop has had no turn for 61 s",)
    health.look(Look(True))
    assert not health.live()
    assert not health.ready()


def test_a_process_that_never_gets_to_its_loop_is_dead(clock: Clock) -> None:
    health = Health(60, clock)
    clock.now = 61.0
    assert health.live()


def test_one_that_stops_is_not_ready_and_alive(clock: Clock) -> None:
    health = Health(60, clock)
    health.look(Look(True))
    health.stopping()
    assert health.ready() == ("it is stopping",)
    assert not health.live()


async def test_watch_looks_again_and_again() -> None:
    health, looks = Health(60), iter([Look(False, ["one"]), Look(True)])
    task = asyncio.create_task(watch(health, lambda: next(looks, Look(True))))
    await asyncio.sleep(0)
    assert health.ready() == ("one",)
    async with asyncio.timeout(5):
        while health.ready():
            await asyncio.sleep(0.02)
    task.cancel()


@pytest.mark.parametrize(
    ("error", "said"),
    [(StoreError("it is away"), "part: it is away"), (ValueError("/secret/path"), "part: ValueError"), (None, "")],
)
async def test_a_pulse_says_what_is_wrong_and_no_more(error: Exception | None, said: str) -> None:
    async def ask() -> None:
        if error is not None:
            raise error

    pulse = Pulse("part", ask)
    task = asyncio.create_task(pulse.beat())
    await asyncio.sleep(0.05)
    task.cancel()
    assert pulse.complaint == said and pulse.met is not bool(said)


async def test_a_pulse_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PULSE_PATIENCE", 0.05)
    pulse = Pulse("part", lambda: asyncio.sleep(60))
    task = asyncio.create_task(pulse.beat())
    async with asyncio.timeout(5):
        while "within" not in pulse.complaint:
            await asyncio.sleep(0.02)
    task.cancel()
    assert pulse.complaint == "part: no answer within 0.05 s"


def test_each_part_speaks_for_itself_until_the_process_cannot(clock: Clock) -> None:
    health = Health(60, clock)
    assert health.parts() == {}
    health.look(Look(True, ["memory: waits"], {"memory": ["waits"], "graph": []}))
    assert health.parts() == {"memory": ("waits",), "graph": ()}
    clock.now = 6.0
    assert set(health.parts().values()) == {("the event loop has had no turn for 6 s",)}
    clock.now = 0.0
    health.stopping()
    assert set(health.parts().values()) == {("it is stopping",)}


async def test_a_task_that_broke_is_a_complaint_and_one_that_ended_is_none() -> None:
    async def breaks() -> None:
        raise ZeroDivisionError

    tasks = [
        asyncio.create_task(breaks(), name="probes"),
        asyncio.create_task(asyncio.sleep(0), name="ends"),
        asyncio.create_task(asyncio.sleep(60), name="cancelled"),
        asyncio.create_task(asyncio.sleep(60), name="runs"),
    ]
    tasks[2].cancel()
    await asyncio.wait(tasks[:3])
    assert broken(tasks) == ["probes broke: ZeroDivisionError"]
    tasks[3].cancel()
