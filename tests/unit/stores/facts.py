"""Builders of agents, blocks, memories and facts for store tests."""

from __future__ import annotations

from typing import Any, cast

from schemas.defaults import plain_memory
from schemas.records import BlockRefRecord, Memory, MemoryFact, MemoryType

ALICE, BOB = b"\xaa" * 20, b"\xab" * 20


def h(n: int) -> bytes:
    return n.to_bytes(32, "big")


def block(number: int, fork: int = 0) -> BlockRefRecord:
    return {"number": number, "hash": h(number * 1000 + fork + 1), "parent": h((number - 1) * 1000 + 1)}


def memory(n: int, agent: bytes = ALICE, at: BlockRefRecord | None = None, **fields: Any) -> Memory:
    base: dict[str, Any] = {
        **plain_memory(h(n), agent, "EPISODIC", "CHAIN" if at else "COMMAND", 1_000 + n), "block": at,
        "transaction": h(n + 7) if at else None, "transaction_index": 0 if at else -1, "content": f"memory {n}".encode(),
    }  # fmt: skip
    return cast("Memory", base | fields)


def upsert(
    n: int, agent: bytes = ALICE, at: BlockRefRecord | None = None, cause: int | None = None, **fields: Any
) -> MemoryFact:
    made = memory(n, agent, at, **fields)
    cause = 5_000 + n if cause is None else cause
    return {"op": "UPSERT", "cause": h(cause), "memory_id": h(n), "owner": agent, "memory": made, "block": at}


def delete(n: int, agent: bytes = ALICE, at: BlockRefRecord | None = None, cause: int | None = None) -> MemoryFact:
    cause = 9_000 + n if cause is None else cause
    return {"op": "DELETE", "cause": h(cause), "memory_id": h(n), "owner": agent, "memory": None, "block": at}


TYPES: tuple[MemoryType, ...] = ("SHORT_TERM", "SEMANTIC")
