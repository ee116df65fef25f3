"""The monitor: it asks at its pace, sooner in doubt, damps what it hears, and looks ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from streams.errors import StoreError
from streams.metrics import REGISTRY
from streams.ops.health import monitor as module
from streams.ops.health.finding import Finding, Level
from streams.ops.health.monitor import Monitor, Pace
from tests.unit.ops.health.test_provider import Scripted

AWAY, WELL = StoreError("it is away"), Finding("healthy")
QUICK = Pace(interval=0.02, timeout=0.5, doubt=0.01)


@asynccontextmanager
async def running(monitor: Monitor) -> AsyncIterator[None]:
    task = asyncio.create_task(monitor.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_it_speaks_only_of_what_it_has_asked() -> None:
    monitor = Monitor([Scripted(60.0)], QUICK)
    assert monitor.found == {}
    async with running(monitor):
        await asyncio.sleep(0.05)
        assert monitor.found == {}


async def test_a_failure_is_said_after_three_looks_and_a_recovery_after_two() -> None:
    told: list[str] = []
    part = Scripted(WELL, AWAY, AWAY, AWAY, WELL, WELL)
    monitor = Monitor([part], QUICK, lambda name, found: told.append(f"{name} {found.status}"))
    async with running(monitor):
        await until(lambda: part.asked >= 6 and monitor.found["part"].status == "healthy")
    assert told[:6] == [f"part {said}" for said in ("healthy", "degraded", "degraded", "failed", "failed", "healthy")]
    assert part.closed


async def test_in_doubt_it_asks_again_soon_and_else_it_waits() -> None:
    pace = Pace(interval=60.0, timeout=0.5, doubt=0.01)
    away, well = Scripted(AWAY), Scripted(WELL)
    away.name = "away"
    monitor = Monitor([away, well], pace)
    async with running(monitor):
        await until(lambda: monitor.found.get("away", WELL).status == "failed")
        await asyncio.sleep(0.1)
    assert (away.asked, well.asked) == (3, 1)


async def test_a_provider_that_hangs_delays_no_other() -> None:
    slow, quick = Scripted(60.0), Scripted(WELL)
    slow.name = "slow"
    monitor = Monitor([slow, quick], Pace(interval=0.01, timeout=0.2, doubt=0.01))
    async with running(monitor):
        await until(lambda: quick.asked >= 5)
        assert slow.asked == 1
        await until(lambda: monitor.found.get("slow", WELL).detail.startswith("no answer within 0.2 s (failure "))


async def test_a_value_that_rises_is_predicted_and_one_that_does_not_is_not() -> None:
    rising = Scripted(*[Finding("healthy", levels=(Level("used", float(at), 90.0),)) for at in range(80)])
    steady = Scripted(Finding("healthy", levels=(Level("used", 40.0, 90.0),)))
    steady.name = "steady"
    monitor = Monitor([rising, steady], Pace(interval=0.01, timeout=5, doubt=0.01))
    async with running(monitor):
        await until(lambda: monitor.predictions)
        found = monitor.predictions[0]
    assert (found.component, found.level.of) == ("part", "used")
    assert {one.component for one in monitor.predictions} == {"part"}


async def test_history_is_bounded_and_ends_with_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HISTORY", 5)
    part = Scripted(*[Finding("healthy", levels=(Level("used", 1.0, 9.0),)) for _ in range(20)], WELL)
    monitor = Monitor([part], Pace(interval=0.001, timeout=5, doubt=0.001))
    lengths = set()
    async with running(monitor):
        while part.asked <= 21:
            lengths |= {len(past) for past in monitor._past.values()}
            await asyncio.sleep(0.001)
    assert max(lengths) == 5
    assert not monitor._past


async def test_what_is_not_looked_at_any_more_has_failed() -> None:
    """A monitor that broke down, or has no turn, is no reason to go on saying what it found once."""
    now = 0.0
    monitor = Monitor([Scripted(WELL)], Pace(interval=30, timeout=10), clock=lambda: now)
    async with running(monitor):
        await until(lambda: monitor.found)
        assert monitor.found["part"].status == "healthy"
        now = 60.0
        assert monitor.found["part"].status == "healthy"
        now = 75.0
        assert (monitor.found["part"].status, monitor.found["part"].detail) == ("failed", "nobody has looked for 75 s")


async def test_a_defect_of_the_monitor_ends_it_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "breach", broken)
    with pytest.raises(ExceptionGroup):
        await Monitor([Scripted(Finding("healthy", levels=(Level("used", 1.0, 9.0),)))], QUICK).run()


@pytest.mark.parametrize("value", [1e200, -1e200, float("inf"), float("nan")])
async def test_a_value_that_cannot_be_reckoned_with_is_counted_and_does_no_harm(value: float) -> None:
    before = REGISTRY.get_sample_value("monmouth_health_levels_refused_total") or 0
    levels = [float(at) for at in range(20)]
    looks = [Finding("healthy", levels=(Level("used", one, 900.0),)) for one in (*levels, value, *(20 + at for at in levels))]
    part = Scripted(*looks)
    monitor = Monitor([part], Pace(interval=0.001, timeout=5, doubt=0.001))
    async with running(monitor):
        await until(lambda: part.asked > len(looks))
        past = [one for _, one in monitor._past["part", "used"]]
    assert all(0 <= one < 40 for one in past)
    assert REGISTRY.get_sample_value("monmouth_health_levels_refused_total") == before + 1
