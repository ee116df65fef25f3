"""Weights of edges, fading, reputation: the numbers of the formulas, in integers."""

from __future__ import annotations

import math
from decimal import localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.graph import standing, tally
from streams.core.graph.standing import Standing, specialisation
from streams.core.graph.tally import FAINT, SCALE, Tally, faded, log_term

COIN = 10**6
DAY = 86_400


def folded(*amounts: int | None, succeeded: bool = True) -> Tally:
    found: Tally | None = None
    for time, micros in enumerate(amounts):
        found = tally.after(found, micros, time, succeeded=succeeded)
    assert found is not None
    return found


def test_first_and_later_weights_are_those_of_the_formula() -> None:
    term = math.log10(1 + COIN)
    assert folded(COIN).weight == pytest.approx(term / 10 * SCALE, abs=2)
    assert folded(COIN, 10).weight == pytest.approx((0.9 * term / 10 + 0.1 * math.log10(11)) * SCALE, abs=2)
    assert folded(COIN, COIN).weight == SCALE  # 0.54 + 0.6, capped


def test_an_event_without_amount_counts_one_and_a_failed_one_nothing() -> None:
    assert folded(None).weight == SCALE // 10
    assert folded(None, None).weight == 19 * SCALE // 100
    failed = folded(COIN, succeeded=False)
    assert (failed.weight, failed.volume, failed.events, failed.strength) == (0, 0, 1, SCALE // 4)
    assert folded(*[None] * 500).weight <= SCALE


def test_strength_is_the_mean_with_each_outcome_in_turn() -> None:
    one = tally.after(None, None, 0, succeeded=True)
    two = tally.after(one, None, 1, succeeded=False)
    assert (one.strength, two.strength) == (3 * SCALE // 4, 3 * SCALE // 8)


@given(st.integers(0, 2**256 - 1))
def test_logarithms_are_those_of_the_library_in_any_decimal_context(micros: int) -> None:
    with localcontext() as context:
        context.prec = 5
        log_term.cache_clear()
        assert log_term(micros) == pytest.approx(math.log10(1 + micros) * SCALE, abs=SCALE * 1e-9)


def test_fading_is_a_twentieth_a_day_and_nothing_backwards() -> None:
    assert faded(SCALE, DAY) == 95 * SCALE // 100
    assert faded(SCALE, 12 * 3_600) == pytest.approx(0.95**0.5 * SCALE, abs=2)
    assert faded(SCALE, 3_599) == faded(SCALE, -DAY) == SCALE
    assert faded(SCALE, 601 * DAY) == 0
    assert faded(SCALE, 90 * DAY) < FAINT < faded(SCALE, 89 * DAY)


@given(st.integers(0, SCALE), st.integers(0, 700 * DAY), st.integers(0, 10 * DAY))
def test_weights_only_fade(weight: int, seconds: int, more: int) -> None:
    assert 0 <= faded(weight, seconds + more) <= faded(weight, seconds) <= weight


def test_reputation_follows_outcomes_between_zero_and_one() -> None:
    stands = Standing()
    stands = standing.after(stands, 0, 21_000, 5, succeeded=True)
    assert stands.reputation == 55 * SCALE // 100
    stands = standing.after(stands, 0, 21_000, 6, succeeded=False)
    assert stands.reputation == 495 * SCALE // 1_000
    assert (stands.transactions, stands.failures, stands.first, stands.last) == (2, 1, 5, 6)
    for _ in range(1_000):
        stands = standing.after(stands, 0, 21_000, 7, succeeded=True)
    assert SCALE - 10 <= stands.reputation <= SCALE


def test_specialisation_is_by_most_transactions() -> None:
    stands = Standing()
    assert specialisation(stands) == "standard"
    for micros, gas, wanted in [(0, 21_000, "standard"), (COIN + 1, 21_000, "whale"), (COIN, 1_000_001, "complex_ops")]:
        stands = standing.after(stands, micros, gas, 1, succeeded=True)
        assert specialisation(standing.after(Standing(), micros, gas, 1, succeeded=True)) == wanted
    assert (stands.standard, stands.whale, stands.complex_ops) == (1, 1, 1)
