"""Facts about memories, made from small numbers: the same numbers make the same fact."""

from __future__ import annotations

from blake3 import blake3

from schemas.defaults import plain_memory
from schemas.records import BlockRefRecord, Memory, MemoryFact
from streams.core.block import BlockRef


def agent_of(number: int) -> bytes:
    return bytes([number + 1]) * 20


def secret_of(agent: bytes) -> bytes:
    return blake3(b"secret of " + agent).digest()


def digest(*parts: object) -> bytes:
    return blake3(repr(parts).encode()).digest()


def memory_of(agent: bytes, memory_id: bytes, block: BlockRef | None = None) -> Memory:
    return {
        **plain_memory(memory_id, agent, "EPISODIC", "COMMAND" if block is None else "CHAIN", 1_700_000_000),
        "block": None if block is None else ref_of(block),
        "transaction": None if block is None else digest("tx", memory_id),
        "transaction_index": -1 if block is None else 3,
        "content": b"content of " + memory_id,
        "tags": ["one", "two"],
    }


def ref_of(block: BlockRef) -> BlockRefRecord:
    return {"number": block.number, "hash": block.hash, "parent": block.parent}


def upsert(agent: bytes, memory_id: bytes, cause: bytes, block: BlockRef | None = None) -> MemoryFact:
    return {
        "op": "UPSERT",
        "cause": cause,
        "memory_id": memory_id,
        "owner": agent,
        "memory": memory_of(agent, memory_id, block),
        "block": None if block is None else ref_of(block),
    }


def delete(agent: bytes, memory_id: bytes, cause: bytes, block: BlockRef | None = None) -> MemoryFact:
    return {
        "op": "DELETE",
        "cause": cause,
        "memory_id": memory_id,
        "owner": agent,
        "memory": None,
        "block": None if block is None else ref_of(block),
    }
