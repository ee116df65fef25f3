"""JSON told as text, numbers told apart; what is malformed is none of both."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.canonical_text import canonical_text
from streams.core.structured import JSON, MAX_BYTES, MAX_FEATURES, NUMBERS, features, told, wrong_structure

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_numbers_by_name_and_by_place() -> None:
    assert features(b'{"gas": 21000, "price": 1.5}') == {"gas": 21_000.0, "price": 1.5}
    assert features(b"[3, -4.5]") == {"0": 3.0, "1": -4.5}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b"3",
        b'"x"',
        b"[true]",
        b'["1"]',
        b"[NaN]",
        b"[1e999]",
        b"[null]",
        b'{"a": {"b": 1}}',
        b'{"": 1}',
        b'{"' + b"a" * 65 + b'": 1}',
        b"[" + b"9" * 400 + b"]",
        b"[" + b"9" * 5_000 + b"]",
        json.dumps(list(range(MAX_FEATURES + 1))).encode(),
        b"[" * 100_000,
        b"[1" + b" " * MAX_BYTES + b"]",
    ],
)
def test_what_is_no_list_of_numbers_is_refused(content: bytes) -> None:
    assert features(content) is None
    assert "finite numbers" in wrong_structure(content, NUMBERS + "; charset=utf-8")


def test_keys_and_values() -> None:
    assert told(b'{"b": {"c": [1, 2]}, "a": "x"}') == "a: x; b.c: 1, 2"
    assert told(b'[{"a": 1}, {"a": null}]') == "a: 1; a: null"
    assert told(b'"just text"') == "just text"
    assert canonical_text(b'{"to": "0xDEADBEEF0000"}', JSON) == "to: 0xdeadbeef"


@pytest.mark.parametrize("content", [b"{", b"", b"[" * 100_000, b"[" * 40 + b"]" * 40, b"\xff{}"])
def test_what_is_not_json_or_too_deep_is_read_as_it_is_written(content: bytes) -> None:
    assert told(content) is None
    assert canonical_text(content, JSON) == canonical_text(content)


def test_malformed_json_is_wrong_and_other_types_say_nothing_of_structure() -> None:
    assert "not JSON" in wrong_structure(b"{", "Application/JSON; charset=utf-8")
    assert wrong_structure(b"{", "text/plain") == ""
    assert wrong_structure(b"{}", JSON) == ""
    assert wrong_structure(b"[1]", NUMBERS) == ""


@given(VALUES)
def test_equal_values_are_told_alike_however_they_are_written(value: object) -> None:
    compact = json.dumps(value, separators=(",", ":")).encode()
    spread = json.dumps(value, indent=3, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
    assert told(compact) == told(spread)
