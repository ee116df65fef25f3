"""The benchmark groups in their tiniest size, on the environment of the harness: that they run, and check what comes back."""

from __future__ import annotations

import pytest

from perf.groups.groups import GROUPS
from perf.groups.rows import SIZES, TINY, Row, Size
from tests.harness import CrossExExTestHarness


@pytest.mark.kafka
@pytest.mark.model
@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="package")
@pytest.mark.parametrize("name", [name for name, _ in GROUPS])
async def test_group(harness: CrossExExTestHarness, name: str) -> None:
    rows = await dict(GROUPS)[name](await harness.setup_test_environment(), TINY)
    assert rows
    for row in rows:
        assert row.seconds
        assert row.ratio > 0
        assert row.limit[0] in str(row)


def test_sizes() -> None:
    assert [SIZES[name].few for name in ("tiny", "small", "medium", "large")] == [1, 5, 5, 5]
    assert len(GROUPS) == 10
    assert [SIZES[name] for name in ("small", "medium", "large")] == [
        Size(10, 100, 1_024),
        Size(100, 1_000, 10_240),
        Size(1_000, 10_000, 102_400),
    ]


@pytest.mark.parametrize(("size", "length"), [(SIZES["small"], 1_024), (SIZES["large"], 65_536)])
def test_texts_have_the_size_within_the_limit_and_differ(size: Size, length: int) -> None:
    texts = {size.text(number) for number in range(50)}
    assert len(texts) == 50
    assert {len(text.encode()) for text in texts} == {length}


def test_a_row_says_what_it_stands_beside() -> None:
    row = Row("call", [0.002, 0.004, 0.006], 0.012, ("the wire", [0.001, 0.002]), 5.0)
    assert row.ratio == 4.0
    assert "4.00 x the wire (1.00 ms); target 5 ms: p95 is 1.20 of it" in str(row)
    assert "250.0" in str(row)
