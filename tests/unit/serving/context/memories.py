"""Memories for what is pure about contexts."""

from __future__ import annotations

import hypothesis.strategies as st

from schemas.defaults import plain_memory
from schemas.records import Memory

AGENT = b"\xa1" * 20


def memory(
    number: int, timestamp: int = 0, *, importance: float = 0.5, tags: tuple[str, ...] = (), action: int | None = None
) -> Memory:
    return {
        **plain_memory(number.to_bytes(32, "big"), AGENT, "EPISODIC", "COMMAND" if action is None else "CHAIN", timestamp),
        "content": f"memory {number}".encode(),
        "importance": importance,
        "tags": list(tags),
        "transaction": None if action is None else action.to_bytes(32, "big"),
    }


def newest_first(memories: list[Memory]) -> list[Memory]:
    return sorted(memories, key=lambda m: (m["timestamp"], m["id"]), reverse=True)


@st.composite
def histories(draw: st.DrawFn) -> list[Memory]:
    """Few times, tags and actions, so that they meet; newest first."""
    size = draw(st.integers(0, 14))
    return newest_first(
        [
            memory(
                number,
                draw(st.integers(0, 6)),
                importance=draw(st.sampled_from([0.0, 0.4, 0.7, 1.0])),
                tags=tuple(draw(st.sets(st.sampled_from("abc")))),
                action=draw(st.one_of(st.none(), st.integers(0, 4))),
            )
            for number in range(size)
        ]
    )
