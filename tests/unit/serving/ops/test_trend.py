"""The line through a series, and what is not said of it."""

from __future__ import annotations

import random

import pytest

from streams.ops.reports import MOST_VALUE
from streams.serving.ops.trend import LEAST, trend


def test_great_numbers_get_an_answer_too() -> None:
    assert trend([MOST_VALUE * x / 60 for x in range(60)], 1, 30) is not None


def test_a_line_is_found_and_continued() -> None:
    found = trend([5 + 2.0 * x for x in range(60)], 1, 30)
    assert found is not None
    assert (found.direction, found.slope) == ("rising", pytest.approx(2))
    assert found.ahead == pytest.approx(5 + 2 * 89)
    assert found.low == pytest.approx(found.high)


def test_a_forecast_is_in_its_interval_about_as_often_as_it_says() -> None:
    chance, inside, told = random.Random(7), 0, 0
    for _ in range(400):
        values = [100 - 0.5 * x + chance.gauss(0, 4) for x in range(120)]
        found = trend(values, 1, 40)
        assert found is not None
        assert found.direction == "falling"
        assert found.low is not None
        assert found.high is not None
        told += 1
        inside += found.low <= 100 - 0.5 * 159 + chance.gauss(0, 4) <= found.high
    assert 0.92 <= inside / told <= 0.98


@pytest.mark.parametrize("values", [[3.0] * 60, [random.Random(3).gauss(5, 1) for _ in range(200)]])
def test_without_a_direction_nothing_is_foretold(values: list[float]) -> None:
    found = trend(values, 1, 60)
    assert found is not None
    assert (found.direction, found.ahead, found.low, found.high) == ("steady", None, None, None)


def test_few_points_say_nothing_and_gaps_are_no_zeros() -> None:
    assert trend([1.0] * (LEAST - 1) + [None] * 500, 1, 60) is None
    gappy = [float(x) if x % 3 else None for x in range(120)]
    found = trend(gappy, 60, 600)
    assert found is not None
    assert found.slope == pytest.approx(1 / 60)
