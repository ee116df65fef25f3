"""Ranking: the same for the same memories, whatever happened before; nothing of an index that was not given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.retrieval.diversity import diverse, duplicates, spread_out
from streams.retrieval.index import MemoryIndex
from streams.retrieval.rank import BAND, arranged, ranked
from streams.retrieval.signals import SIGNALS
from streams.retrieval.weights import SET, WEIGHTS
from tests.unit.retrieval.samples import DIMENSION, asked, document, index_of, vector

BOB = b"\xb0" * 20
TEXTS = ["Ann: I swam in the lake", "Bob: how was the water?", "Ann: cold, yesterday", "Bob: I bought 3 apples", "Ann: good"]
CHAT = [document(text, place, author=text[:3]) for place, text in enumerate(TEXTS)]


def best(index: MemoryIndex, question: str, limit: int = 10) -> list[bytes]:
    return [found.id for found in ranked([index], asked(question), limit)]


def test_words_and_their_neighbourhood_come_first() -> None:
    found = best(index_of(*CHAT), "who swims in lakes?")
    assert found[0] == CHAT[0].id
    other = document("Cid: fine weather", 9, author="Cid", session=2)
    together = best(index_of(*CHAT, other), "who swims in lakes?")
    assert together.index(CHAT[1].id) < together.index(other.id)


def test_the_wrong_speakers_name_hides_nothing() -> None:
    assert best(index_of(*CHAT), "When did Bob swim in the lake?", 2).count(CHAT[0].id) == 1


def test_a_memory_without_a_vector_is_found_by_its_words() -> None:
    index = index_of(*CHAT[1:])
    index.put(CHAT[0], None)
    first = ranked([index], asked("swam in the lake"), 3)[0]
    assert (first.id, first.similarity, first.shares) == (CHAT[0].id, None, True)


def test_left_out_ones_take_no_part() -> None:
    index = index_of(*CHAT)
    without = {CHAT[0].id, CHAT[3].id}
    shown = ranked([index], asked("lake apples"), 10, without)
    assert [found.id for found in shown].count(CHAT[0].id) == 0
    assert len(shown) == 3
    assert ranked([index], asked("lake"), 10, {each.id for each in CHAT}) == []


def test_nothing_asked_of_nothing() -> None:
    assert ranked([], asked("lake"), 10) == []
    assert ranked([MemoryIndex(DIMENSION)], asked("lake"), 10) == []
    assert len(ranked([index_of(*CHAT)], asked(""), 10)) == len(CHAT)
    assert ranked([index_of(*CHAT)], asked("lake"), 0) == []


@settings(max_examples=60)
@example([(0, True), (1, True), (2, True), (3, True), (6, True)], [1, 0, 2, 3, 4, 5, 6, 7])
@given(st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=24), st.permutations(range(8)))
def test_history_leaves_no_trace(steps: list[tuple[int, bool]], order: list[int]) -> None:
    words = ["lake", "water", "apple", "green", "eth", "dai", "swap", "vote"]
    documents = [document(f"{words[i]} {words[-i]} number {i % 3}", i, session=i % 2) for i in range(8)]
    index, there = MemoryIndex(DIMENSION), set[int]()
    for number, put in steps:
        if put:
            index.put(documents[number], vector(documents[number].text))
            there.add(number)
        else:
            index.remove(documents[number].id)
            there.discard(number)
    anew = index_of(*(documents[number] for number in order if number in there))
    question = asked("how many apples in the lake, and which swap?")
    known, fresh = ranked([index], question, 8), ranked([anew], question, 8)
    assert [(f.id, f.score, f.similarity) for f in known] == [(f.id, f.score, f.similarity) for f in fresh]
    assert len(index) == len(there)


def test_several_indexes_answer_as_one_and_no_other_is_looked_at() -> None:
    mine = index_of(*CHAT)
    theirs = index_of(document("Bob: the lake is frozen", 3, agent=BOB, author="Bob"))
    both = [found.id for found in ranked([mine, theirs], asked("lake"), 2)]
    assert len(both) == 2
    assert {found.index for found in ranked([mine, theirs], asked("lake"), 9)} == {mine, theirs}
    alone = [(f.id, f.score) for f in ranked([mine], asked("lake"), 9)]
    theirs.put(document("Bob: lake lake lake", 4, agent=BOB), vector("lake"))
    assert [(f.id, f.score) for f in ranked([mine], asked("lake"), 9)] == alone


def test_band_orders_equals_and_lifts_nothing_far() -> None:
    low, high = (document("swapped eth for dai", at, session=at) for at in (1, 2))
    first, second = ranked([index_of(low, high)], asked("swapped eth"), 2)
    assert first.id == high.id
    assert 0 <= first.score - second.score <= BAND


def test_the_index_says_what_it_holds() -> None:
    index = index_of(*CHAT)
    before = index.nbytes
    for number in range(200):
        index.put(document(f"note {number} about things", number), None)
    assert index.nbytes > before
    assert CHAT[0].id in index
    index.remove(CHAT[0].id)
    index.remove(CHAT[0].id)
    assert CHAT[0].id not in index


def test_weights_are_those_of_the_signals() -> None:
    assert set(WEIGHTS) == set(SIGNALS)
    assert sum(abs(weight) for name, weight in WEIGHTS.items() if name not in SET) == pytest.approx(1, abs=0.01)
    assert [name for name, weight in WEIGHTS.items() if weight < 0] == ["question"]


def test_near_duplicates_go_behind_everything_else() -> None:
    texts = ["swapped 1 ETH for DAI", "Swapped 1 eth for dai!", "swapped 2 ETH for DAI", "voted"]
    assert duplicates(texts) == [False, True, False, False]
    scores = np.array([4, 3.9, 3, 1], np.float32)
    order = spread_out(texts, scores, np.stack([vector(text) for text in texts]))
    assert order[0] == 0
    assert order[-1] == 1
    assert sorted(order) == [0, 1, 2, 3]


def test_marginal_relevance_prefers_what_is_new_among_equals() -> None:
    rows = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    assert diverse(np.array([1.0, 0.96, 0.95, 0.0], np.float32), np.vstack([rows, rows[:1]])) == [0, 2, 1, 3]
    assert diverse(np.ones(0, np.float32), np.ones((0, 3), np.float32)) == []


def test_an_arranged_answer_is_a_permutation() -> None:
    found = ranked([index_of(*CHAT)], asked("lake"), 5)
    assert sorted(arranged(found, TEXTS)) == [0, 1, 2, 3, 4]
    assert arranged([], []) == []
