"""An embedding agent over dictionaries: its state, its table as outsiders see it, its store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from schemas.codec import codec
from schemas.records import MemoryFact
from streams.agents.base import Emit, Record
from streams.agents.embedding import EmbeddingAgent
from streams.core.block import BlockRef
from streams.ports.embedder import Embedder
from tests.unit.stores.reference import DictVectorStore


class DictState:
    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.rows[key] = value

    def delete(self, key: bytes) -> None:
        self.rows.pop(key, None)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted((k, v) for k, v in self.rows.items() if k.startswith(prefix)))


def records(facts: Sequence[MemoryFact]) -> list[Record]:
    return [Record("memory.log", 0, n, fact["owner"], "MemoryFact", fact) for n, fact in enumerate(facts)]


class Rig:
    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.state = DictState()
        self.store = DictVectorStore()
        self.table: dict[bytes, dict[str, Any]] = {}
        self.agent = EmbeddingAgent(0, self.state, embedder, self.store)

    def take(self, emits: Iterable[Emit]) -> None:
        for emit in emits:
            assert (emit.topic, emit.type) == ("rag.embeddings", "Embedding")
            if emit.value is None:
                self.table.pop(emit.key, None)
            else:
                self.table[emit.key] = codec().decode(codec().encode("Embedding", emit.value))[1]

    async def apply(self, facts: Sequence[MemoryFact], block: Any = None) -> None:
        await self.agent.prepare(records(facts))
        self.take(self.agent.apply(BlockRef.of(block) if block else None, records(facts)))
        await self.agent.flush()

    async def revert(self, facts: Sequence[MemoryFact], block: Any) -> None:
        self.take(self.agent.revert(BlockRef.of(block), records(facts)))
        await self.agent.flush()

    async def finalize(self, block: Any) -> None:
        self.take(self.agent.finalize(BlockRef.of(block)))
        await self.agent.flush()

    def held(self) -> set[bytes]:
        """Keys of vectors in the store, which are those of the table, with the same bits."""
        stored = {agent + memory_id: vector.tobytes() for (agent, memory_id), vector in self.store.rows.items()}
        assert stored == {key: row["vector"] for key, row in self.table.items()}
        return set(stored)

    def picture(self) -> tuple[dict[bytes, bytes], dict[tuple[bytes, bytes], bytes], dict[bytes, dict[str, Any]]]:
        vectors = {key: np.asarray(vector).tobytes() for key, vector in self.store.rows.items()}
        return dict(self.state.rows), vectors, dict(self.table)
