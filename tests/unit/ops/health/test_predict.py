"""Prediction: what is said of known series, that noise gets no answer, and how often the interval is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ops.health.backtest import NOISE, TRENDS, falsely_said, tried
from streams.ops.health.finding import Level
from streams.ops.health.predict import AHEAD, LEAST, Breach, breach

STEP = 30.0


def times(count: int) -> list[float]:
    return [1_000 + STEP * at for at in range(count)]


def test_a_straight_line_is_told_to_the_look() -> None:
    found = breach(times(50), [float(at) for at in range(50)], 99.5)
    assert found is not None
    assert found.earliest == found.expected == found.latest == 51 * STEP


def test_noise_makes_the_interval_wide_and_keeps_the_truth_in_it() -> None:
    random = np.random.default_rng(5)
    calm, wild = ([at / 4 + random.normal(0, noise) for at in range(60)] for noise in (0.2, 2.0))
    narrow, wide = breach(times(60), calm, 25.0), breach(times(60), wild, 25.0)
    assert narrow is not None
    assert wide is not None
    assert wide.latest - wide.earliest > 2 * (narrow.latest - narrow.earliest)
    assert narrow.earliest <= 40 * STEP <= narrow.latest


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([50.0] * 60, id="constant"),
        pytest.param([60.0 - at / 4 for at in range(60)], id="falling"),
        pytest.param([50.0 + at % 2 for at in range(60)], id="to and fro"),
        pytest.param([at / 4 for at in range(LEAST - 1)], id="too few"),
        pytest.param([at / 1000 for at in range(60)], id="beyond what can be seen"),
        pytest.param([90.0 + at for at in range(60)], id="there already"),
        pytest.param([*[at / 4 for at in range(59)], float("nan")], id="no number"),
        pytest.param([-1e200, *[at / 4 for at in range(59)]], id="no square of it is a number"),
        pytest.param([*[at / 4 for at in range(40)], 1e200, *[at / 4 for at in range(40, 59)]], id="a spike without end"),
    ],
)
def test_nothing_is_said_of(values: list[float]) -> None:
    assert breach(times(len(values)), values, 100.0) is None


def test_a_spike_is_passed_over_and_a_step_is_not() -> None:
    line = [at / 4 for at in range(60)]
    spiked = [*line[:40], 80.0, *line[41:]]
    assert breach(times(60), spiked, 30.0) == breach(times(60), line, 30.0)
    stepped = [*line[:40], *[value + 5 for value in line[40:]]]
    found = breach(times(60), stepped, 30.0)
    assert found is None or found.latest - found.earliest > 5 * STEP


def test_looks_that_came_sooner_in_doubt_do_not_bend_the_line() -> None:
    at = sorted([*times(50), 1_000 + 20 * STEP + 2, 1_000 + 20 * STEP + 4])
    found = breach(at, [(moment - 1_000) / STEP for moment in at], 99.5)
    assert found is not None
    assert found.expected == pytest.approx(51 * STEP, abs=STEP)


def test_it_is_told_in_a_unit_that_fits() -> None:
    level = Level("disk used", 80, 95, " %")
    assert Breach(840, 540, 1320).told(level) == "disk used reaches 95 % in 14 min (9-22 min, 90 %)"
    assert Breach(40, 20, 60).told(level) == "disk used reaches 95 % in 40 s (20-60 s, 90 %)"
    assert Breach(9000, 7200, 10800).told(level).endswith("in 2.5 h (2-3 h, 90 %)")


@pytest.mark.parametrize("scale", [1e-100, 1e50, 1e99])
def test_great_and_small_numbers_get_an_answer_too(scale: float) -> None:
    breach(times(50), [at * scale for at in range(50)], 99.5 * scale)


@given(st.lists(st.floats(0, 1_000), min_size=LEAST, max_size=40), st.floats(0, 2_000))
def test_any_series_gets_an_ordered_answer_or_none(values: list[float], limit: float) -> None:
    found = breach(times(len(values)), values, limit)
    if found is not None:
        assert STEP <= found.earliest <= found.expected <= found.latest <= AHEAD * STEP * len(values)
        assert found == breach(times(len(values)), values, limit)


def test_the_interval_is_right_about_as_often_as_it_says() -> None:
    """A short run of ``monmouth health backtest``: 90 % is stated; bounds are what 20 tries of nine shapes can tell."""
    results = [tried(shape, 20) for shape in TRENDS]
    said, right = sum(result.said for result in results), sum(result.right for result in results)
    assert said > 100
    assert right / said >= 0.86


def test_noise_is_not_told_as_a_trend() -> None:
    results = [falsely_said(shape, 20) for shape in NOISE]
    assert sum(result.said for result in results) <= 3
