"""Batches are as large as their cost allows: they grow and shrink, within bounds, and never stop taking."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.core.batching import FIRST, GROWTH, Batching, weight

SIZE = 512
WAITING = [SIZE] * 20_000


def work(
    batching: Batching, fixed: float, each: float, times: int, noise: random.Random | None = None
) -> list[tuple[int, float]]:
    """Takes batches of a queue that never ends; (records, seconds) of each."""
    done = []
    for _ in range(times):
        count = batching.fits(WAITING)
        weighed = count * weight(SIZE)
        seconds = (fixed + each * weighed) * (noise.uniform(0.8, 1.2) if noise else 1.0)
        batching.took(count, weighed, seconds)
        done.append((count, seconds))
    return done


costs = st.tuples(st.floats(0, 0.3), st.floats(1e-5, 1.0))


@given(costs, st.integers(0, 1_000_000))
def test_it_comes_to_the_time_that_a_batch_should_take(cost: tuple[float, float], seed: int) -> None:
    batching = Batching(16_000)
    work(batching, *cost, 60, random.Random(seed))
    fixed, each = cost
    seconds = fixed + each * batching.load
    assert 0.5 < seconds < 1.7 or batching.fits(WAITING) in (1, batching.most)


@given(st.lists(costs, min_size=2, max_size=5), st.integers(0, 1_000_000))
def test_it_follows_work_that_changes_up_and_down(costs: list[tuple[float, float]], seed: int) -> None:
    batching, noise = Batching(16_000), random.Random(seed)
    for fixed, each in costs:
        work(batching, fixed, each, 60, noise)
        seconds = fixed + each * batching.load
        assert 0.5 < seconds < 1.7 or batching.fits(WAITING) in (1, batching.most)


def test_it_begins_in_the_middle_and_can_do_both() -> None:
    dear, cheap = Batching(16_000), Batching(16_000)
    assert dear.records == cheap.records == FIRST
    assert work(dear, 0.02, 0.1, 2)[-1][0] < FIRST / 10
    assert [count for count, _ in work(cheap, 0.02, 1e-5, 10)][-1] == 16_000


def test_what_became_dear_is_met_in_one_step_and_what_became_cheap_in_a_few() -> None:
    batching = Batching(16_000, seconds=0.5)
    work(batching, 0.02, 3e-4, 30)
    (_, first), (_, second) = work(batching, 0.02, 1.5e-2, 2)
    assert first > 10 > 1 > second
    work(batching, 0.02, 1.5e-2, 30)
    assert work(batching, 0.02, 3e-4, 8)[-1][1] > 0.3


def test_fixed_costs_beyond_the_goal_do_not_make_it_take_one_by_one() -> None:
    """The mean of a batch's time says shrink, and each smaller batch is no quicker: a controller of time alone starves here."""
    batching = Batching(16_000)
    work(batching, 3.0, 1e-3, 60)
    assert batching.fits(WAITING) > 300


def test_light_batches_do_not_say_that_records_are_dear() -> None:
    """Few come, so each batch is nearly all fixed cost; then many come at once."""
    batching = Batching(16_000, seconds=0.5)
    work(batching, 0.025, 3e-4, 30)
    for _ in range(200):
        batching.took(1, weight(SIZE), 0.025 + 3e-4 * weight(SIZE))
    assert batching.fits(WAITING) > 300


def test_heavy_records_fill_a_batch_sooner() -> None:
    batching = Batching(16_000)
    work(batching, 0.02, 1e-3, 30)
    light, heavy = batching.fits([0] * 20_000), batching.fits([5 * SIZE] * 20_000)
    assert heavy <= light / 6, "what is heavier than any before may be dearer than its weight says"
    for _ in range(10):
        batching.took(50, 50 * weight(5 * SIZE), 0.02 + 1e-3 * 50 * weight(5 * SIZE))
    assert batching.fits([5 * SIZE] * 20_000) == pytest.approx(light / 6, rel=0.15)


def test_who_is_late_anyway_catches_up_with_larger_batches_within_bounds() -> None:
    batching = Batching(16_000, seconds=0.2)
    work(batching, 0.05, 1e-4, 30)
    hurried, late = batching.fits(WAITING, 0.5), batching.fits(WAITING, 1.0)
    assert batching.fits(WAITING) == hurried < late <= 6 * hurried
    cheap = Batching(16_000)
    work(cheap, 0.02, 1e-4, 30)
    assert cheap.fits(WAITING, 100.0) == cheap.fits(WAITING), "fixed costs are small as it is"


def test_a_failure_halves_and_success_grows_again() -> None:
    batching = Batching(16_000)
    work(batching, 0.02, 1e-4, 20)
    before = batching.fits(WAITING)
    batching.failed(before * weight(SIZE))
    assert batching.fits(WAITING) == pytest.approx(before / 2, abs=1)
    for _ in range(40):
        batching.failed(batching.load)
    assert batching.fits(WAITING) == 1
    assert work(batching, 0.02, 1e-4, 20)[-1][0] == pytest.approx(before, rel=0.1)


def test_a_size_that_fails_each_time_is_tried_more_and_more_seldom() -> None:
    batching, refused = Batching(16_000, first=2 * 1_000), []
    for turn in range(2_000):
        count = batching.fits(WAITING)
        if count > 150:
            refused.append(turn)
            batching.failed(count * weight(SIZE))
        else:
            batching.took(count, count * weight(SIZE), 0.02 + 1e-5 * count)
    assert len(refused) < 30
    assert len([turn for turn in refused if turn > 1_000]) < 8


def test_equal_bounds_are_a_fixed_size() -> None:
    batching = Batching(64, 64)
    assert {count for count, _ in work(batching, 0.1, 0.5, 20)} == {64}


@given(costs, st.floats(0.1, 1.0))
def test_waiting_for_more_keeps_fixed_costs_within_their_share(cost: tuple[float, float], share: float) -> None:
    batching = Batching(1_000, share=share)
    assert Batching(1_000).linger == 0
    for _ in range(30):
        batching.took(1, 2.0, cost[0] + 2 * cost[1])
    assert 0 <= batching.linger <= batching.seconds / 2
    if batching.linger < batching.seconds / 2:
        assert batching.fixed <= share * (batching.fixed + batching.linger) * 1.001


steps = st.one_of(
    st.tuples(st.just("took"), st.integers(0, 20_000), st.floats(0, 1e6), st.floats(0, 1e4)),
    st.tuples(st.just("failed"), st.just(0), st.floats(0, 1e6), st.just(0.0)),
)


History = list[tuple[str, int, float, float]]
bounds = st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)).map(sorted)


@given(bounds, st.lists(steps, max_size=40), st.lists(st.integers(0, 5_000_000), max_size=50))
@example([1, 1], [("took", 1, 0.0, 1.0)], [0])
def test_bounds_hold_whatever_is_measured(bounds: list[int], history: History, waiting: list[int]) -> None:
    least, most = bounds
    first, second = Batching(most, least), Batching(most, least)
    for batching in (first, second):
        heaviest = 0.0
        for step, records, said, seconds in history:
            weighed = max(said, float(records))
            if step == "took":
                heaviest = max(heaviest, weighed)
                batching.took(records, weighed, seconds)
                assert 1 <= batching.load <= max(2 * FIRST, GROWTH * heaviest)
            else:
                batching.failed(weighed)
            assert least <= batching.records <= most
            taken = batching.fits(waiting)
            assert min(least, len(waiting)) <= taken <= min(most, len(waiting))
    assert first == second


def test_bounds_that_are_none_are_refused() -> None:
    for wrong in ({"most": 0}, {"most": 5, "least": 6}, {"most": 5, "seconds": 0.0}, {"most": 5, "share": 0.0}):
        with pytest.raises(ValueError, match="bounds"):
            Batching(**wrong)
