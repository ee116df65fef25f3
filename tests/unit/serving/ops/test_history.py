"""A short history of one number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.serving.ops.history import KEPT, MINUTE, History

FIRST = 1_800_000_000 // MINUTE * MINUTE


@given(st.lists(st.tuples(st.integers(1, 5_000), st.none() | st.floats(-1e6, 1e6)), max_size=40))
def test_points_are_where_they_were_put_and_bounded(steps: list[tuple[int, float | None]]) -> None:
    history, at, put = History(), FIRST, {}
    for step, value in steps:
        at += step
        history.add(at, value)
        put[at] = value
    seconds = history.seconds()
    assert len(seconds.values) <= KEPT
    for index, value in enumerate(seconds.values):
        assert value == put.get(seconds.start + index)
    assert not steps or seconds.start + len(seconds.values) - 1 == at
    minutes = history.minutes()
    assert len(minutes.values) <= KEPT
    for index, value in enumerate(minutes.values):
        start = minutes.start + index * MINUTE
        inside = [v for second, v in put.items() if start <= second < start + MINUTE and v is not None]
        assert (value is None) == (not inside)
        assert value is None or abs(value - sum(inside) / len(inside)) < 1e-6


def test_a_second_that_is_past_is_passed_over() -> None:
    history = History()
    history.add(FIRST, 1.0)
    history.add(FIRST, 2.0)
    history.add(FIRST - 5, 3.0)
    assert history.seconds().values == (1.0,)
    assert history.newest == 1.0


def test_a_long_silence_costs_no_more_than_what_is_kept() -> None:
    history = History()
    history.add(FIRST, 1.0)
    history.add(FIRST + 10**9, 2.0)
    assert history.seconds().values.count(None) == KEPT - 1
    assert set(history.minutes().values) == {None}
