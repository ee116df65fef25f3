"""Orders of a context."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from streams.serving.context.order import arranged


def test_orders() -> None:
    assert arranged([3, 1, 2], "score", lambda n: n) == [3, 1, 2]
    assert arranged([3, 1, 2], "time", lambda n: n) == [1, 2, 3]
    assert arranged([1, 2, 3, 4, 5], "edges", lambda n: n) == [1, 3, 5, 4, 2]
    assert arranged([1, 2, 3, 4], "edges", lambda n: n) == [1, 3, 4, 2]
    assert arranged([], "edges", lambda n: n) == []


@given(st.lists(st.integers()), st.sampled_from(["score", "time", "edges"]))
def test_an_order_is_a_permutation(items: list[int], order) -> None:
    assert sorted(arranged(items, order, lambda n: n)) == sorted(items)


@given(st.integers(0, 20))
def test_at_the_edges_the_worst_lie_furthest_inside(count: int) -> None:
    there = arranged(list(range(count)), "edges", lambda n: n)
    depth = {item: min(place, count - 1 - place) for place, item in enumerate(there)}
    assert [depth[item] for item in range(count)] == sorted(depth.values())
