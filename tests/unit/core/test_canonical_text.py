"""One spelling for what means the same, bounded and idempotent."""

from __future__ import annotations

import unicodedata

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from streams.core.canonical_text import MAX_BYTES, MAX_CHARS, canonical_text, is_text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"  sent\t5 \r\n\n ETH ", "sent 5 ETH"),
        ("cafe\u0301".encode(), "caf\u00e9"),
        (b"to 0x8BA1f109551bD432803012645Ac136ddd64DBA72!", "to 0x8ba1f109!"),
        (b"0X" + b"AB" * 32, "0xabababab"),
        (b"0x12345678", "0x12345678"),
        (b"0xABCDEF01", "0xABCDEF01"),
        (b"id 123456789012345678901234567890", "id 123456789012345678901234567890"),
        (b"", ""),
        (b"bad \xff\xfe bytes", "bad \ufffd\ufffd bytes"),
        ("\ud800 lone", "? lone"),
    ],
)
def test_spelling(content: bytes | str, expected: str) -> None:
    assert canonical_text(content) == expected


def test_an_address_in_any_case_is_one_text() -> None:
    address = "0x8ba1f109551bd432803012645ac136ddd64dba72"
    assert canonical_text(f"pay {address}") == canonical_text(f"pay 0x{address[2:].upper()}")


@pytest.mark.parametrize("media_type", ["text/plain", "TEXT/Markdown; charset=utf-8", "application/json", " text/csv "])
def test_text(media_type: str) -> None:
    assert is_text(media_type)
    assert canonical_text(b"x", media_type) == "x"


@pytest.mark.parametrize("media_type", ["image/png", "application/octet-stream", "", "text", "application/vnd.api+json"])
def test_what_is_not_text_has_none(media_type: str) -> None:
    assert canonical_text(b"x", media_type) is None


def test_length_is_bounded_and_cuts_no_character() -> None:
    assert canonical_text("ab " * MAX_BYTES) == ("ab " * MAX_CHARS)[:MAX_CHARS].rstrip()
    cut = canonical_text(("x" + "☕" * MAX_BYTES).encode())
    assert cut is not None and set(cut) == {"x", "☕"}


anything = st.one_of(
    st.text(),
    st.binary(),
    st.lists(st.sampled_from(["0x", "0X", "1234567", "e", "\u0301", "9", " ", "é", "\x1f"])).map("".join),
)


@given(anything)
@example("0x1234567e9\u0301")
@example("0x0x123456789")
def test_idempotent(content: bytes | str) -> None:
    once = canonical_text(content)
    assert once is not None
    assert canonical_text(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert len(once) <= MAX_CHARS
