"""The four strategies: what they promise, whatever the targets do."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.balance import PROBE, Balance, Strategy

STRATEGIES = get_args(Strategy)
strategies = st.sampled_from(STRATEGIES)


def chosen(balance: Balance, able: list[int], times: int, seconds: dict[int, float] | None = None) -> Counter[int]:
    """Calls one after another; how often each was asked."""
    found: Counter[int] = Counter()
    for _ in range(times):
        target = balance.begin(able)
        found[target] += 1
        balance.end(target, (seconds or {}).get(target, 0.01), good=True)
    return found


@given(strategies, st.integers(1, 6), st.data())
def test_only_who_may_be_asked_is_and_calls_are_counted(strategy: Strategy, targets: int, data: st.DataObject) -> None:
    balance, running = Balance(strategy, [1.0] * targets), []
    numbers = st.integers(0, targets - 1)
    for _ in range(data.draw(st.integers(0, 30))):
        if running and data.draw(st.booleans()):
            balance.end(running.pop(), data.draw(st.floats(0, 100)), data.draw(st.booleans()))
            continue
        able = data.draw(st.sets(numbers, min_size=1))
        target = balance.begin(able)
        assert target in able
        running.append(target)
    assert [standing.running for standing in balance.standings] == [running.count(n) for n in range(targets)]
    assert all(0 <= standing.score <= 1 for standing in balance.standings)


@given(st.integers(1, 6), st.integers(0, 50))
def test_round_robin_takes_turns(targets: int, times: int) -> None:
    found = chosen(Balance("round_robin", [1.0] * targets), list(range(targets)), times)
    counts = [found[n] for n in range(targets)]
    assert max(counts) - min(counts) <= 1


@given(st.integers(2, 6), st.integers(1, 60))
def test_least_connections_never_lets_one_have_two_more_than_another(targets: int, times: int) -> None:
    balance = Balance("least_connections", [1.0] * targets)
    for _ in range(times):
        balance.begin(range(targets))
    running = [standing.running for standing in balance.standings]
    assert max(running) - min(running) <= 1


def test_least_connections_leaves_one_that_holds_its_calls() -> None:
    balance = Balance("least_connections", [1.0, 1.0])
    held = balance.begin([0, 1])
    assert chosen(balance, [0, 1], 20) == {1 - held: 20}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 5))
def test_weights_are_kept_exactly_over_a_round_and_nobody_waits_a_whole_one(weights: list[int], rounds: int) -> None:
    balance, total = Balance("weighted", [float(weight) for weight in weights]), sum(weights)
    found = chosen(balance, list(range(len(weights))), rounds * total)
    assert [found[n] for n in range(len(weights))] == [rounds * weight for weight in weights]


def test_adaptive_prefers_the_quicker_one_and_sees_that_a_slow_one_mended() -> None:
    balance = Balance("adaptive", [1.0, 1.0])
    slow = chosen(balance, [0, 1], 160, {0: 0.5, 1: 0.01})
    assert slow[1] > 0.9 * 160
    assert slow[0] >= 160 // PROBE - 1
    chosen(balance, [0, 1], 400, {0: 0.001, 1: 0.2})
    assert chosen(balance, [0, 1], 160, {0: 0.001, 1: 0.2})[0] > 0.9 * 160


def test_adaptive_leaves_one_that_fails() -> None:
    balance = Balance("adaptive", [1.0, 1.0])
    found: Counter[int] = Counter()
    for _ in range(160):
        target = balance.begin([0, 1])
        found[target] += 1
        balance.end(target, 0.0001 if target == 0 else 0.01, good=target == 1)
    assert found[1] > 0.85 * 160


def test_a_score_is_a_mean_and_does_not_grow_with_calls() -> None:
    balance = Balance("adaptive", [1.0])
    chosen(balance, [0], 3)
    few = balance.standings[0].score
    chosen(balance, [0], 3_000)
    assert balance.standings[0].score == pytest.approx(few)


@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [-1.0]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        Balance("weighted", weights)
