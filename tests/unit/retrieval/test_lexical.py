"""Postings after any history are those of what is there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.retrieval.lexical import LexicalIndex, rarity

WORDS = st.lists(st.sampled_from("abcdef"), max_size=8)
STEPS = st.lists(st.tuples(st.integers(0, 5), st.none() | WORDS), max_size=30)


def content(index: LexicalIndex) -> dict[str, dict[int, float]]:
    found = {}
    for term in "abcdef":
        slots, counts = index.postings(term)
        assert index.holders(term) == len(slots)
        if len(slots):
            found[term] = dict(zip(slots.tolist(), counts.tolist(), strict=True))
    return found


@given(STEPS)
def test_any_history_leaves_what_a_new_index_would_hold(steps: list[tuple[int, list[str] | None]]) -> None:
    index, there = LexicalIndex(), dict[int, list[str]]()
    for slot, words in steps:
        if words is None:
            index.remove(slot)
            there.pop(slot, None)
        else:
            index.put(slot, words)
            there[slot] = words
    anew = LexicalIndex()
    for slot, words in there.items():
        anew.put(slot, words)
    assert content(index) == content(anew)
    assert (len(index), index.nbytes) == (len(anew), anew.nbytes)


def test_a_word_nobody_holds_is_worth_nothing_and_rare_ones_most() -> None:
    assert rarity(10, 0) == 0.0
    assert rarity(10, 1) > rarity(10, 5) > rarity(10, 10) > 0
