"""The budget of tokens."""

from __future__ import annotations

from streams.serving.context.budget import within_budget


def test_budget_passes_over_what_does_not_fit() -> None:
    assert within_budget([5, 9, 5], 10) == [0, 2]
    assert within_budget([11], 10) == []
    assert within_budget([], 10) == []
