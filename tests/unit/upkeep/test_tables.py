"""What of a row of memory.state is held against the log, and what is not."""

from __future__ import annotations

from typing import Any, cast

import pytest

from schemas.records import Memory
from streams.upkeep.tables import memory_digest
from tests.samples import MEMORY

SAMPLE = cast("Memory", MEMORY)


def changed(**fields: Any) -> bytes:
    return memory_digest(cast("Memory", {**MEMORY, **fields}))


@pytest.mark.parametrize("fields", [{"known_at": None}, {"known_at": 1}, {"sealed": None}])
def test_how_and_when_the_log_had_it_is_nothing_a_memory_says(fields: dict[str, Any]) -> None:
    assert changed(**fields) == memory_digest(SAMPLE)


@pytest.mark.parametrize("fields", [{"content": b"other"}, {"timestamp": 1}, {"tags": []}])
def test_all_that_it_says_counts(fields: dict[str, Any]) -> None:
    assert changed(**fields) != memory_digest(SAMPLE)
