"""Counting in bounded memory: heavy keys stay, counts err on one side only and by a known bound."""

from __future__ import annotations

import random
from collections import Counter

import hypothesis.strategies as st
from hypothesis import given

from streams.serving.cache.frequency import Frequency


@given(st.lists(st.integers(0, 40), max_size=400), st.integers(2, 12))
def test_counts_are_never_too_high_and_too_low_by_a_bound(keys: list[int], capacity: int) -> None:
    frequency, truth = Frequency(capacity), Counter(keys)
    for key in keys:
        frequency.add(key)
        assert len(frequency) <= capacity
    counted = dict(frequency.top(1_000))
    assert frequency.error <= 2 * len(keys) / capacity
    for key, true in truth.items():
        assert true - frequency.error <= counted.get(key, 0) <= true


def test_the_heavy_keys_survive_a_flood_of_others() -> None:
    chance = random.Random(1)
    frequency = Frequency(100)
    stream = [key for key in range(5) for _ in range(4_000)] + list(range(1_000, 60_000))
    chance.shuffle(stream)
    for key in stream:
        frequency.add(key)
    assert {key for key, _ in frequency.top(5)} == set(range(5))
    assert len(frequency) <= 100


def test_top_is_in_order_and_a_dropped_key_is_gone() -> None:
    frequency = Frequency(10)
    assert [frequency.add(key) for key in (1, 2, 2, 3, 3, 3)] == [1, 1, 2, 1, 2, 3]
    assert frequency.top(2) == [(3, 3), (2, 2)]
    frequency.drop(3)
    frequency.drop(99)
    assert frequency.top(5) == [(2, 2), (1, 1)] and frequency.error == 0
