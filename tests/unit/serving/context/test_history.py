"""Cursors: they go on where they stood, and with nothing else."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from streams.serving.context.history import Place, cursor_of, place_of, walk_name
from streams.serving.context.request import EVERYTHING, Only
from streams.serving.context.window import Priority, Semantic, Temporal
from streams.serving.faults import BadRequestError
from tests.unit.serving.context.memories import AGENT

WALK = walk_name(AGENT, Temporal(10), EVERYTHING)


@given(st.integers(-(2**63), 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_print_and_parse_are_inverse(timestamp: int, memory_id: bytes) -> None:
    place = Place(timestamp, memory_id)
    assert place_of(cursor_of(place, WALK), WALK) == place


@pytest.mark.parametrize(
    "walk",
    [
        walk_name(b"\xb0" * 20, Temporal(10), EVERYTHING),
        walk_name(AGENT, Temporal(11), EVERYTHING),
        walk_name(AGENT, Priority(10), EVERYTHING),
        walk_name(AGENT, Semantic(("a",)), EVERYTHING),
        walk_name(AGENT, Temporal(10), Only(since=1)),
    ],
)
def test_a_cursor_of_another_walk_is_refused(walk: bytes) -> None:
    with pytest.raises(BadRequestError, match="another agent, window or filter"):
        place_of(cursor_of(Place(1, bytes(32)), walk), WALK)


@pytest.mark.parametrize("text", ["", "x", "ä", "=" * 10, "A" * 127, "A" * 10_000, cursor_of(Place(1, bytes(32)), WALK)[:-4]])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError, match="none that a gateway gave"):
        place_of(text, WALK)
