"""The nearest rank: the least value that has the share at or below it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.ranks import quantile


@given(st.lists(st.integers(-9, 9), min_size=1), st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_it_is_the_least_value_with_the_share_at_or_below(values: list[int], share: float) -> None:
    enough = [one for one in values if 1000 * sum(other <= one for other in values) >= round(1000 * share) * len(values)]
    assert quantile(values, share) == min(enough)


def test_of_nothing_it_is_nought() -> None:
    assert quantile([], 0.5) == 0
