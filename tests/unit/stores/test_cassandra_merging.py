"""Rows of several partitions read as one: in order, none lost, and no further than they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import hypothesis.strategies as st
from hypothesis import given

from connectors.stores.cassandra.merging import merged

SIZE = 3
lists = st.lists(st.lists(st.integers(0, 50), max_size=12, unique=True), max_size=5)


async def page(rows: Sequence[int], asked: list[int | None], last: int | None) -> Sequence[int]:
    asked.append(last)
    start = 0 if last is None else rows.index(last) + 1
    return rows[start : start + SIZE]


@given(lists, st.booleans())
def test_the_merge_is_the_sorted_whole(parts: list[list[int]], descending: bool) -> None:
    ordered = [sorted(part, reverse=descending) for part in parts]

    async def run() -> list[int]:
        fetches = [partial(page, part, []) for part in ordered]
        return [row async for row in merged(fetches, lambda row: row, descending)]

    assert asyncio.run(run()) == sorted((row for part in parts for row in part), reverse=descending)


async def test_no_page_is_read_before_it_is_needed() -> None:
    near, far = list(range(9)), list(range(100, 109))
    asked: dict[str, list[int | None]] = {"near": [], "far": []}
    rows = merged([partial(page, near, asked["near"]), partial(page, far, asked["far"])], lambda row: row)
    assert [await anext(rows) for _ in range(4)] == [0, 1, 2, 3]
    assert asked == {"near": [None, 2], "far": [None]}
    await rows.aclose()  # type: ignore[attr-defined]
