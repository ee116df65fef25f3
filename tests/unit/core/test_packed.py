"""The packed table is a dictionary, only smaller."""

from __future__ import annotations

import sys
from collections.abc import Callable

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


def test_what_spans_two_rows_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_MASK", 0)
    table = PackedTable(2, 2)
    table.set(b"aa", b"bc")
    table.set(b"dd", b"bc")
    for key in (b"ab", b"bc", b"cd"):
        assert key not in table


def _size(make: Callable[[int], PackedTable], count: int) -> float:
    table = make(count)
    return (sum(sys.getsizeof(bucket) for bucket in table._buckets) - packed.BUCKETS * sys.getsizeof(b"")) / count


def test_a_row_costs_little_more_than_it_says() -> None:
    def filled(count: int) -> PackedTable:
        table = PackedTable(20, 100)
        for number in range(count):
            table.set(number.to_bytes(20, "big"), bytes(100))
        return table

    assert _size(filled, 20_000) <= 120
