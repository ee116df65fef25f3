"""A memory read over REST is the record that was committed to, field by field."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.defaults import plain_memory
from schemas.records import MEMORY_TYPES, Memory
from streams.core.leaf import EDGE_CODES, SOURCE_CODES, value_of
from streams.serving.verify import record_of
from streams.serving.wire import MemoryView

IDS = st.binary(min_size=32, max_size=32)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
TIMES = st.integers(-(2**40), 2**40)
EDGES = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(sorted(EDGE_CODES)),
        "source": st.none() | IDS,
        "target": IDS,
        "relation": TEXT,
        "strength": st.floats(0, 1),
        "until": st.none() | TIMES,
    }
)
BLOCKS = st.fixed_dictionaries({"number": st.integers(0, 2**40), "hash": IDS, "parent": IDS})


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    source: Any = draw(st.sampled_from(sorted(SOURCE_CODES)))
    fields: dict[str, Any] = {
        "block": draw(st.none() | BLOCKS),
        "transaction": draw(st.none() | IDS),
        "transaction_index": draw(st.integers(-1, 300)),
        "content": draw(st.binary(max_size=8) | TEXT.map(str.encode)),
        "media_type": draw(st.sampled_from(["text/plain", "text/markdown", "application/json"])),
        "importance": draw(st.floats(0, 1)),
        "tags": draw(st.lists(TEXT, max_size=2)),
        "form": draw(st.sampled_from(["MEMORY", "AMENDMENT"])),
        "subject": draw(st.none() | TEXT),
        "predicate": draw(st.none() | TEXT),
        "valid_from": draw(st.none() | TIMES),
        "valid_to": draw(st.none() | TIMES),
        "edges": draw(st.lists(EDGES, max_size=2)),
        "session": draw(st.none() | st.binary(min_size=16, max_size=16)),
        "imported_from": draw(st.none() | IDS),
    }
    plain = plain_memory(draw(IDS), bytes(20), draw(st.sampled_from(MEMORY_TYPES)), source, draw(TIMES))
    return {**plain, **fields}  # type: ignore[typeddict-item]


@given(memories())
def test_what_is_read_is_what_was_committed_to(memory: Memory) -> None:
    read = MemoryView.model_validate_json(MemoryView.of(memory).model_dump_json())
    assert record_of(read) == memory
    assert value_of(bytes(32), record_of(read)) == value_of(bytes(32), memory)
