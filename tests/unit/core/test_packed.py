"""The packed table is a dictionary, only smaller."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core import packed
from streams.core.packed import PackedTable

KEYS = st.binary(min_size=2, max_size=2)
VALUES = st.binary(min_size=3, max_size=3)
STEPS = st.lists(st.tuples(KEYS, st.none() | VALUES), max_size=200)


@settings(max_examples=50)
@given(STEPS, st.sampled_from([0, packed._MASK]))
def test_it_is_what_a_dictionary_would_be(steps: list[tuple[bytes, bytes | None]], mask: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "_MASK", mask)  # 0: all in one bucket
        table, model = PackedTable(2, 3), dict[bytes, bytes]()
        for key, value in steps:
            if value is None:
                assert table.pop(key) == model.pop(key, None)
            else:
                table.set(key, value)
                model[key] = value
            assert table.get(key) == model.get(key)
            assert (key in table) is (key in model)
        assert dict(table.items()) == model
        assert len(table) == len(model)


@pytest.mark.parametrize(("key", "value"), [(b"a", b"123"), (b"abc", b"123"), (b"ab", b"12"), (b"ab", b"1234")])
def test_other_widths_are_refused(key: bytes, value: bytes) -> None:
    table = PackedTable(2, 3)
    with pytest.raises(ValueError, match="a row has 2 \\+ 3 bytes"):
        table.set(key, value)
    assert table.get(b"") is None


def test_a_row_costs_little_more_than_it_says() -> None:
    table = PackedTable(20, 100)
    for number in range(3 * packed._PAGE):
        table.set(number.to_bytes(20, "big"), bytes(100))
    pages = sum(map(sys.getsizeof, table._pages))
    assert pages / len(table) <= 120 + 1


def test_rows_keep_their_numbers_and_dropped_ones_are_used_again() -> None:
    table = PackedTable(2, 1)
    numbers = [table.set(bytes([at, at]), b"x") for at in range(5)]
    assert table.set(b"\x02\x02", b"y") == numbers[2]
    assert table.at(numbers[2]) == (b"\x02\x02", b"y")
    table.pop(b"\x02\x02")
    assert table.number(b"\x02\x02") == packed.NOWHERE
    assert table.set(b"\x09\x09", b"z") == numbers[2]
