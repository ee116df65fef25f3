"""The four kinds of window."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from schemas.records import Memory
from streams.serving.context.window import Actions, Filling, Priority, Semantic, Temporal, Window, admits
from tests.unit.serving.context.memories import histories, memory, newest_first

sizes = st.integers(1, 5)
windows = st.one_of(
    st.builds(Temporal, st.integers(0, 4), sizes),
    st.builds(Actions, st.integers(1, 4), sizes),
    st.builds(Semantic, st.sampled_from([("a",), ("a", "b")]), sizes),
    st.builds(Priority, st.sampled_from([0.0, 0.5, 1.0]), sizes),
)


def laid(window: Window, memories: list[Memory]) -> tuple[Filling, list[Memory]]:
    """The window, and what lies behind it."""
    filling = Filling(window)
    for place, one in enumerate(memories):
        if not filling.take(one):
            return filling, memories[place:]
    return filling, []


def ids(memories: list[Memory]) -> list[int]:
    return [int.from_bytes(one["id"], "big") for one in memories]


def test_temporal_counts_from_the_newest_memory_and_not_from_now() -> None:
    past = newest_first([memory(1, 100), memory(2, 90), memory(3, 89)])
    filling, behind = laid(Temporal(10), past)
    assert ids(filling.members) == [1, 2]
    assert ids(behind) == [3]
    assert filling.strengths() == [1.0, 0.0]


def test_actions_count_transactions_not_memories() -> None:
    past = newest_first(
        [memory(1, 9, action=1), memory(2, 8, action=1), memory(3, 7), memory(4, 6, action=2), memory(5, 5, action=3)]
    )
    filling, behind = laid(Actions(2), past)
    assert ids(filling.members) == [1, 2, 4]
    assert ids(behind) == [5]


def test_semantic_is_stronger_the_more_tags_are_shared() -> None:
    past = newest_first([memory(1, 3, tags=("a", "z")), memory(2, 2, tags=("a", "b")), memory(3, 1, tags=("z",))])
    filling, behind = laid(Semantic(("a", "b")), past)
    assert ids(filling.members) == [1, 2]
    assert filling.strengths() == [pytest.approx(1 / 3), 1.0]
    assert behind == []


def test_priority_admits_from_the_least_on() -> None:
    past = newest_first([memory(1, 3, importance=0.7), memory(2, 2, importance=0.69)])
    filling, _ = laid(Priority(0.7), past)
    assert ids(filling.members) == [1]
    assert filling.strengths() == [0.7]


def test_holds_no_more_than_its_size() -> None:
    filling, behind = laid(Priority(0.0, size=2), newest_first([memory(n, n) for n in range(5)]))
    assert ids(filling.members) == [4, 3]
    assert ids(behind) == [2, 1, 0]
    assert Temporal(1).size == 50


@given(windows, histories())
def test_windows_laid_behind_each_other_hold_each_admitted_memory_once(window: Window, past: list[Memory]) -> None:
    seen: list[Memory] = []
    rest = past
    while rest:
        filling, behind = laid(window, rest)
        assert len(behind) < len(rest), "each window takes or passes over something"
        assert 0 <= len(filling.members) <= window.size
        assert all(0.0 <= strength <= 1.0 for strength in filling.strengths())
        if isinstance(window, Temporal) and filling.members:
            assert filling.members[0]["timestamp"] - filling.members[-1]["timestamp"] <= window.seconds
        if isinstance(window, Actions):
            assert len({one["transaction"] for one in filling.members}) <= window.count
        seen += filling.members
        rest = behind
    assert seen == [one for one in past if isinstance(window, Temporal) or admits(window, one, 0)]
