"""The budget of tokens."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from streams.serving.context.budget import cut, unbroken, within_budget

counts = st.lists(st.integers(0, 50), max_size=30)


def words(text: str) -> int:
    return len(text.split())


def pieces(text: str) -> int:
    """As hard as tokenizers get: a word in the middle of which one stops may have more pieces than the whole."""
    return sum(1 if len(word) == 7 else len(word) for word in text.split())


def test_passes_over_what_does_not_fit() -> None:
    assert within_budget([5, 9, 5], 10) == [0, 2]
    assert within_budget([11], 10) == []
    assert within_budget([], 10) == []


def test_a_walk_stops_at_what_does_not_fit() -> None:
    assert unbroken([5, 9, 1], 10) == 1
    assert unbroken([5, 5], 10) == 2
    assert unbroken([11], 10) == 0


@given(counts, st.integers(0, 200))
def test_is_never_exceeded_and_leaves_no_room_for_what_was_left_out(tokens: list[int], budget: int) -> None:
    kept = within_budget(tokens, budget)
    spent = sum(tokens[i] for i in kept)
    assert spent <= budget
    assert kept == sorted(set(kept))
    left = [count for i, count in enumerate(tokens) if i not in kept]
    assert all(spent + count > budget for count in left)
    first = unbroken(tokens, budget)
    assert sum(tokens[:first]) <= budget
    assert first == len(tokens) or sum(tokens[: first + 1]) > budget


@given(st.text(st.sampled_from("ab \n\t"), max_size=60), st.integers(0, 12), st.sampled_from([words, pieces, len]))
def test_a_cut_text_is_a_beginning_within_the_limit(text: str, limit: int, count) -> None:
    short = cut(text, limit, count)
    assert text.startswith(short)
    assert count(short) <= limit
    assert short == text or count(text) > limit


def test_a_cut_ends_at_a_word_where_it_can() -> None:
    assert cut("one two three four", 2, words) == "one two"
    assert cut("one", 5, words) == "one"
    assert cut("antidisestablishment", 4, len) == "anti"
    assert cut("one two", 0, words) == ""
