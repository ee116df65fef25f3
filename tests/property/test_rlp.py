"""Our RLP encoder says what the general library says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rlp.codec import encode_raw

from connectors.chain.rlp import encode

SIZES = st.sampled_from([0, 1, 55, 56, 57, 255, 256, 300, 65_535, 65_536])
STRINGS = st.binary(max_size=80) | SIZES.map(lambda size: b"\x81" * size)
ITEMS = st.recursive(STRINGS, lambda inner: st.lists(inner, max_size=6) | st.lists(inner, max_size=3).map(tuple), max_leaves=20)


@given(ITEMS)
def test_equal_to_the_library(item: Any) -> None:
    assert encode(item) == encode_raw(item)


def test_every_single_byte() -> None:
    for byte in range(256):
        assert encode(bytes([byte])) == encode(bytearray([byte])) == encode_raw(bytes([byte]))


@pytest.mark.parametrize("item", [None, 1, "text", ["text"], {b"a": b"b"}, [b"a", [None]]])
def test_anything_else_is_refused(item: Any) -> None:
    with pytest.raises(TypeError):
        encode(item)
