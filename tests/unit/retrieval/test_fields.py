"""Memories that are structures: found by their fields, and fused fairly with prose and with bare numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Memory
from streams.core.structured import JSON, NUMBERS, leaves
from streams.retrieval.document import Document, document_of
from streams.retrieval.fields import FieldIndex, Fields, nearness
from streams.retrieval.index import MemoryIndex
from streams.retrieval.rank import ranked, signals_of
from streams.retrieval.signals import SIGNALS
from tests.unit.retrieval.samples import DIMENSION, asked, document, index_of, memory

SCALARS = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5)
STRUCTURES = st.dictionaries(st.text(max_size=5), st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3)), max_size=5)
ORDER = {"order": {"pair": "ETH/DAI", "slippage": 0.5, "status": "open", "venue": "somewhere"}}


def structure(content: object, at: int = 0, media_type: str = JSON) -> Document:
    said: Memory = {**memory("x", at, session=at), "content": json.dumps(content).encode(), "media_type": media_type}
    made = document_of(said)
    assert made is not None
    return made


def signal(index: MemoryIndex, question: str) -> dict[bytes, float]:
    (found,) = signals_of([index], asked(question))
    return dict(zip(found.ids, found.values[:, SIGNALS.index("structure")].tolist(), strict=True))


def test_fields_are_names_and_numbers() -> None:
    made = structure(ORDER).fields
    assert made is not None
    assert made.numbers == {"slippage": (0.5,)}
    assert {"order", "pair", "venu"} <= made.names and "open" not in made.names
    assert document("slippage: 0.5").fields is None
    assert structure({"gas": 3}, media_type=NUMBERS).fields == Fields(frozenset({"gas"}), {"gas": (3.0,)})
    assert structure([3, 4], media_type=NUMBERS).fields is None
    assert structure("a text", media_type=JSON).fields is None
    assert Fields.of(leaves(b"[1, oh]")) == Fields(frozenset(), {})


def test_nearness_falls_with_the_distance_of_sizes() -> None:
    values = [nearness(21_000, value) for value in (21_000, 25_000, 80_000, -21_000)]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(1)
    assert values[-1] == 0


def test_a_number_is_compared_under_its_name_however_many_fields_there_are() -> None:
    lean, rich = structure({"slippage": 0.5}, 1), structure({**{f"f{n}": n for n in range(30)}, "slippage": 0.5}, 2)
    other = structure({"slippage": 90, "fee": 0.5}, 3)
    scores = signal(index_of(lean, rich, other), "slippage 0.5")
    assert scores[lean.id] == scores[rich.id] > scores[other.id] + 0.2


def test_a_record_with_the_field_comes_before_prose_that_mentions_it_and_only_then() -> None:
    record, prose = structure(ORDER, 1), document("we talked about slippage and status for a while", 2)
    pool = index_of(record, prose)
    assert signal(pool, "what is the slippage of the order")[prose.id] == 0.0
    assert ranked([pool], asked("slippage 0.5 of the order"), 1)[0].id == record.id
    assert signal(pool, "who lives in Rome")[record.id] == 0.0
    assert 0 < signal(pool, "order a pizza in Rome")[record.id] < 0.5, "one word of many is a part of an answer"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("which order had slippage of 0.5", "structure"),
        ("gas about 390000", "numbers"),
        ("what did Ann say about her garden", "prose"),
    ],
)
def test_each_kind_is_found_by_what_it_is_among_all_kinds(question: str, expected: str) -> None:
    pool = {
        "prose": document("Ann said that her garden is full of roses", 1, session=1),
        "structure": structure(ORDER, 2),
        "numbers": structure({"gas": 400_000, "price": 3}, 3, NUMBERS),
        "other prose": document("the gas bill was dear and orders were late", 4, session=4),
        "other structure": structure({"order": {"slippage": 80, "status": "closed"}}, 5),
        "other numbers": structure({"gas": 9, "price": 3}, 6, NUMBERS),
    }
    names = {made.id: name for name, made in pool.items()}
    assert names[ranked([index_of(*pool.values())], asked(question), 1)[0].id] == expected


def test_without_structures_the_signal_says_nothing() -> None:
    texts = index_of(*(document(text, at) for at, text in enumerate(("swapped eth", "voted yes", "order of dai"))))
    assert set(signal(texts, "order 5 of dai").values()) == {0.0}


def test_it_is_found_by_its_numbers_before_its_vector_is_there() -> None:
    index, made = MemoryIndex(DIMENSION), structure({"slippage": 0.5})
    index.put(made, None)
    (found,) = ranked([index], asked("slippage 0.5"), 1)
    assert (found.similarity, found.shares) == (None, True)


@given(st.lists(STRUCTURES, max_size=5), st.data())
def test_an_index_that_changed_is_one_made_anew(contents: list[Any], data: st.DataObject) -> None:
    made = [Fields.of(leaves(json.dumps(content).encode())) for content in contents]
    index, kept = FieldIndex(), {}
    for slot, fields in enumerate(made):
        index.put(slot, fields)
        kept[slot] = fields
    for slot in data.draw(st.sets(st.integers(0, 4))):
        index.remove(slot)
        kept.pop(slot, None)
    fresh = FieldIndex()
    for slot, fields in kept.items():
        fresh.put(slot, fields)
    words = {name: 1.0 for fields in made for name in fields.names}
    for searched in ({}, {"a": 1.0}):
        old, new = (dict(zip(*map(list, each.search(words, searched)), strict=True)) for each in (index, fresh))
        assert old == new
        assert all(0 <= score <= 1.0001 for score in old.values())
    assert index.nbytes == fresh.nbytes
