"""Hostile input: decoding never fails, and never says more than the bytes do."""

from __future__ import annotations

from typing import Any

from eth_abi import encode
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.codec import codec
from streams.agents.intent import intent_record
from streams.agents.memory_facts import transaction_facts
from streams.decoding.calldata import decode_call
from streams.decoding.logs import decode_log
from streams.decoding.nl.parser import default_reader, load_parser
from streams.decoding.table import METHODS
from streams.decoding.text import MAX_TEXT
from tests.transactions import chain_transaction

SELECTORS = st.sampled_from(sorted(METHODS))
WORDS = st.one_of(
    st.integers(0, 300).map(lambda n: n.to_bytes(32, "big")),
    st.sampled_from([b"\xff" * 32, bytes(32), bytes(12) + b"\x11" * 20, (2**255).to_bytes(32, "big")]),
    st.binary(min_size=32, max_size=32),
)


@st.composite
def near_calls(draw: st.DrawFn) -> bytes:
    """A known selector and words that may or may not fit it."""
    return draw(SELECTORS) + b"".join(draw(st.lists(WORDS, max_size=12))) + draw(st.binary(max_size=5))


def checked(data: bytes, **fields: Any) -> None:
    """Reads a record, and writes all that follows from it in wire form."""
    transaction = chain_transaction(input=data, **fields)
    reading = default_reader().read(transaction)
    assert 0 < len(reading.text) <= MAX_TEXT
    assert 0 <= reading.confidence <= 1
    codec().encode("Intent", {**intent_record(transaction, reading)})
    for fact in transaction_facts(transaction, reading):
        codec().encode("MemoryFact", {**fact})
    call = decode_call(data)
    assert (reading.method is None) == (call is None)
    if call is not None:
        assert data.endswith(call.suffix)


@given(st.binary(max_size=400), st.sampled_from([0, 1, None]))
@example(b"", 1)
@example(b"\xef\xbb\xbf", 1)
def test_any_bytes_can_be_read(data: bytes, status: int | None) -> None:
    checked(data, status=status)


@given(near_calls())
def test_any_words_behind_a_known_selector_can_be_read(data: bytes) -> None:
    checked(data)


@settings(max_examples=400)
@given(SELECTORS, st.data())
def test_any_valid_arguments_of_any_known_method_can_be_told(selector: bytes, data: st.DataObject) -> None:
    parameters = METHODS[selector].signature.parameters
    values = [data.draw(value_of(p)) for p in parameters]
    encoded = selector + encode([p.type for p in parameters], values)
    assert decode_call(encoded) is not None
    checked(encoded)


def value_of(parameter: Any) -> st.SearchStrategy[Any]:
    """Values of an ABI type."""
    if parameter.dimensions:
        size = parameter.dimensions[-1]
        low, high = (0, 3) if size < 0 else (size, size)
        return st.lists(value_of(parameter.element), min_size=low, max_size=high)
    if parameter.components:
        return st.tuples(*map(value_of, parameter.components))
    base = parameter.base
    if base == "address":
        return st.binary(min_size=20, max_size=20)
    if base == "bool":
        return st.booleans()
    if base == "string":
        return st.text(max_size=20)
    if base.startswith("bytes"):
        size = int(base[5:] or -1)
        return st.binary(max_size=80) if size < 0 else st.binary(min_size=size, max_size=size)
    bits = int(base.removeprefix("u").removeprefix("int"))
    return st.integers(0, 2**bits - 1) if base[0] == "u" else st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=4), st.binary(max_size=200))
def test_any_log_can_be_read(topics: list[bytes], data: bytes) -> None:
    decode_log({"index": 0, "address": bytes(20), "topics": topics, "data": data})


@given(st.text(max_size=300))
@example("swap " * 500)
@example("\ud800 surrogate")
def test_any_text_can_be_parsed(text: str) -> None:
    guess = load_parser().parse(text) if len(text) > 250 else default_reader().language.parse(text)
    assert 0 <= guess.confidence <= 1
    assert sum(chance for _, chance in guess.alternatives) <= 1 + 3e-4
