"""Polls grow while work is quick and shrink where it is slow, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.pace import FIRST, LEAST, Pace


def test_full_polls_that_are_quick_grow_to_the_bound() -> None:
    pace = Pace(16_000)
    sizes = []
    for _ in range(4):
        sizes.append(pace.records)
        pace.took(pace.records, 0.1)
    assert sizes == [FIRST, 2 * FIRST, 4 * FIRST, 16_000]


def test_polls_that_are_not_full_say_nothing_of_more() -> None:
    pace = Pace(16_000)
    pace.took(pace.records - 1, 0.0)
    pace.took(pace.records, 0.6)
    assert pace.records == FIRST


def test_slow_work_halves_down_to_a_floor() -> None:
    pace = Pace(16_000)
    for _ in range(20):
        pace.took(1, 1.5)
    assert pace.records == LEAST
    pace.took(LEAST, 0.2)
    assert pace.records == 2 * LEAST


@given(st.integers(1, 20_000), st.lists(st.tuples(st.integers(0, 20_000), st.floats(0, 100))))
def test_bounds_hold(most: int, history: list[tuple[int, float]]) -> None:
    pace = Pace(most)
    for records, seconds in history:
        assert 1 <= pace.records <= most
        pace.took(records, seconds)
    assert 1 <= pace.records <= most
