"""Failures are counted by address, for a while, in bounded memory."""

from __future__ import annotations

import pytest

from streams.serving.attempts import ADDRESSES, BURST, PER_SECOND, Attempts
from streams.serving.faults import RateLimitedError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_a_wait_and_nobody_else_is_touched() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(BURST):
        attempts.demand("one")
        attempts.failed("one")
    with pytest.raises(RateLimitedError) as refused:
        attempts.demand("one")
    attempts.demand("two")
    assert refused.value.retry_after == 1 / PER_SECOND
    clock.now += refused.value.retry_after
    attempts.demand("one")
    attempts.failed("one")
    with pytest.raises(RateLimitedError):
        attempts.demand("one")
    clock.now += BURST / PER_SECOND
    attempts.demand("one")


def test_a_flood_from_everywhere_takes_no_more_memory() -> None:
    attempts = Attempts(Clock())
    for number in range(ADDRESSES + 100):
        attempts.failed(str(number))
    assert len(attempts._failed) == ADDRESSES
