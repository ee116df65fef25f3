"""A policy: tries that are spaced out, through a breaker, on a clock that is given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import REGISTRY

from streams.errors import ConfigurationError, LogIntegrityError, StoreError
from streams.metrics import REGISTRY as METRICS
from streams.metrics import count_error
from streams.policy import CircuitOpenError, CrowdedError, LateCallError, Policy, State, StoreOpenError, Terms
from streams.policy.terms import USUAL


class Time:
    """A clock that goes on while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep_sync(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        self.sleep_sync(seconds)


def policy_at(time: Time, terms: Terms = USUAL, draw: float = 0.5, name: str = "place") -> Policy:
    return Policy(name, terms, clock=time, sleep=time.sleep, sleep_sync=time.sleep_sync, draw=lambda: draw)


class Place:
    """Fails as it is told, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    def sync(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"

    async def __call__(self) -> str:
        return self.sync()


AWAY = StoreError("away")


async def test_what_may_pass_is_tried_again_with_pauses_that_double() -> None:
    time, place = Time(), Place(AWAY, AWAY)
    assert await policy_at(time).call(place) == "answer"
    assert time.slept == [pytest.approx(0.1), pytest.approx(0.2)]


async def test_the_last_error_is_raised_as_it_is_after_the_third_try() -> None:
    time, place = Time(), Place(StoreError("1"), StoreError("2"), StoreError("3"), StoreError("4"))
    with pytest.raises(StoreError, match="3"):
        await policy_at(time).call(place)
    assert place.asked == 3


@pytest.mark.parametrize(("draw", "share"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
async def test_jitter_is_a_tenth_either_way(draw: float, share: float) -> None:
    time = Time()
    await policy_at(time, draw=draw).call(Place(AWAY, AWAY))
    assert time.slept == [pytest.approx(0.1 * share), pytest.approx(0.2 * share)]


async def test_pauses_grow_to_a_bound() -> None:
    time = Time()
    terms = Terms(tries=12, failures=100, call_seconds=None)
    await policy_at(time, terms).call(Place(*[AWAY] * 11))
    assert time.slept[-3:] == [pytest.approx(10.0)] * 3
    assert max(time.slept) <= 10.0 + 1e-9


@pytest.mark.parametrize(
    "error", [LogIntegrityError("altered: timeout"), ConfigurationError("connection"), ValueError("timeout")]
)
async def test_what_does_not_pass_is_raised_at_once_and_counts_for_nothing(error: Exception) -> None:
    time, place = Time(), Place(error)
    policy = policy_at(time)
    with pytest.raises(type(error)):
        await policy.call(place)
    assert place.asked == 1
    assert policy.breaker.view().failures == 0


async def test_no_try_begins_when_the_time_of_a_call_is_over() -> None:
    time = Time()
    policy = policy_at(time, Terms(call_seconds=5.0))
    asked = []

    async def slow() -> None:
        asked.append(time.now)
        time.now += 6.0
        raise AWAY

    with pytest.raises(StoreError):
        await policy.call(slow)
    assert len(asked) == 1


async def test_it_opens_after_five_failures_and_then_asks_nobody() -> None:
    time, place = Time(), Place(*[StoreError("out")] * 99)
    policy = policy_at(time, Terms(opened=StoreOpenError))
    for _ in range(2):
        with pytest.raises(StoreError):
            await policy.call(place)
    assert policy.breaker.now is State.OPEN
    assert place.asked == 5
    before = time.now
    with pytest.raises(StoreError, match="out") as caught:  # for who knows stores only
        await policy.call(place)
    assert isinstance(caught.value, CircuitOpenError)
    assert 0 < caught.value.retry_after <= 60
    assert (place.asked, time.now) == (5, before)


async def test_three_calls_that_succeed_close_it_again() -> None:
    time, place = Time(), Place(*[AWAY] * 5)
    policy = policy_at(time, Terms(tries=1))
    for _ in range(5):
        with pytest.raises(StoreError):
            await policy.call(place)
    time.now += 59.9
    with pytest.raises(CircuitOpenError):
        await policy.call(place)
    time.now += 0.2
    for expected in (State.HALF_OPEN, State.HALF_OPEN, State.CLOSED):
        await policy.call(place)
        assert policy.breaker.now is expected


async def test_one_failure_while_half_open_opens_it_again() -> None:
    time, place = Time(), Place(*[AWAY] * 5)
    policy = policy_at(time, Terms(tries=1))
    for _ in range(5):
        with pytest.raises(StoreError):
            await policy.call(place)
    time.now += 61
    await policy.call(place)
    place.errors = [AWAY]
    with pytest.raises(StoreError):
        await policy.call(place)
    assert policy.breaker.now is State.OPEN
    assert policy.breaker.view().retry_after == pytest.approx(60)


async def test_a_call_has_its_time() -> None:
    policy = Policy("slow place", Terms(call_seconds=0.01, tries=1))
    with pytest.raises(LateCallError, match="slow place"):
        await policy.call(lambda: asyncio.sleep(10))
    assert policy.breaker.view().failures == 1


async def test_no_more_calls_at_once_than_allowed() -> None:
    policy = Policy("crowded", Terms(concurrent=2, tries=1))
    free = asyncio.Event()
    asked = [asyncio.create_task(policy.call(free.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(CrowdedError, match="crowded has 2 calls"):
        await policy.call(free.wait)
    free.set()
    await asyncio.gather(*asked)
    assert policy.breaker.view().failures == 0
    await policy.call(free.wait)


async def test_a_call_that_is_given_up_leaves_its_place() -> None:
    policy = Policy("given up", Terms(concurrent=1, tries=1))
    task = asyncio.create_task(policy.call(lambda: asyncio.sleep(10)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert policy.breaker.view().running == 0
    assert await policy.call(Place()) == "answer"


async def test_a_late_success_does_not_close_what_opened_meanwhile() -> None:
    time = Time()
    policy = policy_at(time, Terms(tries=1))
    free = asyncio.Event()
    slow = asyncio.create_task(policy.call(free.wait))
    await asyncio.sleep(0)
    place = Place(*[AWAY] * 5)
    for _ in range(5):
        with pytest.raises(StoreError):
            await policy.call(place)
    free.set()
    await slow
    assert policy.breaker.now is State.OPEN


def test_calls_that_block() -> None:
    time, place = Time(), Place(AWAY, AWAY)
    assert policy_at(time).call_sync(place.sync) == "answer"
    assert time.slept == [pytest.approx(0.1), pytest.approx(0.2)]
    with pytest.raises(ConfigurationError):
        policy_at(time).call_sync(Place(ConfigurationError("no")).sync)


async def test_repeats_are_counted() -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("monmouth_retry_attempts_total", {"name": "counted"}) or 0.0

    before = count()
    time = Time()
    await policy_at(time, name="counted").call(Place())
    assert count() == before
    await policy_at(time, name="counted").call(Place(AWAY, AWAY))
    assert count() == before + 2


async def test_the_newest_hundred_times_are_kept() -> None:
    time = Time()
    policy = policy_at(time)

    def taking(seconds: float) -> Callable[[], Awaitable[None]]:
        return lambda: time.sleep(seconds)

    for number in range(120):
        await policy.call(taking(float(number)))
    seconds = policy.breaker.view().seconds
    assert len(seconds) == 100
    assert seconds[-1] == pytest.approx(119.0)


async def test_a_place_that_asks_for_time_is_given_it() -> None:
    time = Time()
    policy = Policy("busy", USUAL, clock=time, sleep=time.sleep, draw=lambda: 0.5, asked=lambda _: 0.15)
    assert await policy.call(Place(AWAY, AWAY)) == "answer"
    assert time.slept == [pytest.approx(0.15), pytest.approx(0.2)]


def counted(category: str, severity: str) -> float:
    return METRICS.get_sample_value("monmouth_errors_total", {"category": category, "severity": severity}) or 0.0


async def test_each_failed_try_is_an_error_and_what_is_no_failure_of_the_place_is_none() -> None:
    before, time = counted("database", "high"), Time()
    with pytest.raises(StoreError) as raised:
        await policy_at(time).call(Place(*(StoreError("away") for _ in range(3))))
    assert counted("database", "high") == before + 3
    count_error(raised.value)
    assert counted("database", "high") == before + 3, "who meets the last one knows that it was counted"
    refused = counted("configuration", "high")
    with pytest.raises(ConfigurationError) as wrong:
        await policy_at(time).call(Place(ConfigurationError("wrong")))
    assert counted("configuration", "high") == refused
    count_error(wrong.value)
    assert counted("configuration", "high") == refused + 1
