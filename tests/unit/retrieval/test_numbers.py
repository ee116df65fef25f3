"""Numeric memories."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Memory
from streams.core.structured import NUMBERS
from streams.retrieval.document import Document, document_of
from streams.retrieval.index import MemoryIndex
from streams.retrieval.numbers import NumberIndex, asked_numbers, vector_of
from streams.retrieval.rank import ranked
from tests.unit.retrieval.samples import DIMENSION, asked, memory

FEATURES = st.dictionaries(st.text(min_size=1, max_size=5), st.floats(-1e18, 1e18), min_size=1, max_size=6)


def numeric(content: object, at: int = 0) -> Document:
    said: Memory = {**memory("x", at, session=at), "content": json.dumps(content).encode(), "media_type": NUMBERS}
    made = document_of(said)
    assert made is not None
    return made


@given(FEATURES)
def test_vectors_are_normalised_and_the_same_in_any_order(features: dict[str, float]) -> None:
    vector = vector_of(features)
    length = float(np.linalg.norm(vector))
    assert length == pytest.approx(1, abs=1e-3) or length < 1e-3
    assert np.array_equal(vector, vector_of(dict(reversed(features.items()))))


def test_nearer_values_are_nearer() -> None:
    near = [float(vector_of({"gas": 21_000}) @ vector_of({"gas": value})) for value in (21_000, 25_000, 80_000, -21_000)]
    assert near == sorted(near, reverse=True)
    assert near[0] == pytest.approx(1, abs=1e-5)
    assert float(vector_of({"gas": 5}) @ vector_of({"price": 5})) == pytest.approx(0, abs=1e-6)


def test_numbers_of_a_question() -> None:
    assert asked_numbers("when was gas = 21000 and the price at 3.5?") == {"gas": 21_000.0, "price": 3.5}
    assert asked_numbers("what happened?") == {}
    assert len(asked_numbers(" ".join(f"n{i} {i}" for i in range(100)))) <= 32


def test_the_one_with_such_values_is_found_without_any_vector_of_text() -> None:
    index = MemoryIndex(DIMENSION)
    documents = [numeric({"gas": gas, "price": 3}, at) for at, gas in enumerate((21_000, 400_000, 9))]
    for document in documents:
        index.put(document, None)
    first = ranked([index], asked("when was the gas about 390000?"), 3)[0]
    assert (first.id, first.shares, first.similarity) == (documents[1].id, True, None)
    index.remove(documents[1].id)
    assert documents[1].id not in {found.id for found in ranked([index], asked("gas about 390000"), 3)}


def test_malformed_numbers_are_no_document() -> None:
    assert document_of({**memory("x"), "content": b"[1, oh]", "media_type": NUMBERS}) is None


def test_an_index_of_numbers_forgets() -> None:
    index = NumberIndex()
    index.put(3, {"gas": 1.0})
    assert index.nbytes > 0
    assert index.search({"gas": 1.0})[0].tolist() == [3]
    index.remove(3)
    index.remove(3)
    assert index.search({"gas": 1.0})[0].tolist() == []
    assert index.nbytes == 0
