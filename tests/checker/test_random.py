"""Random clean histories stay clean; one random corruption of one is caught by the class it belongs to."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.checker.clean import Move, history
from tests.checker.corrupt import CORRUPTIONS
from tests.checker.report import check

MOVES = st.lists(
    st.one_of(
        st.builds(Move, st.just("block"), st.integers(0, 8), st.booleans()),
        st.builds(Move, st.just("undo"), st.integers(1, 4)),
        st.sampled_from([Move("redo"), Move("outside"), Move("outside", 2), Move("kill"), Move("ask")]),
    ),
    max_size=25,
)
"""Steps of a pipeline's life; blocks may be empty, undos deeper than the chain are cut down."""


@given(MOVES)
@settings(max_examples=150, deadline=None)
def test_clean_histories_stay_clean(moves: list[Move]) -> None:
    assert [str(anomaly) for anomaly in check(history(moves)).anomalies] == []


@given(MOVES, st.sampled_from(sorted(CORRUPTIONS)), st.integers(0, 1_000))
@settings(max_examples=300, deadline=None)
def test_a_single_corruption_is_caught(moves: list[Move], name: str, choice: int) -> None:
    kind, corrupt = CORRUPTIONS[name]
    wrong = corrupt(history(moves), choice)
    assume(wrong is not None)
    assert wrong is not None
    assert check(wrong).counts[kind] > 0
