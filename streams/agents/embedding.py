"""The embedding agent: memories to vectors, in the vector store and in the table rag.embeddings.

Assumes that a memory id names one memory and has at most one UPSERT (ids are content ids of their cause), and that the vector
of a text does not depend on its batch. Only text has a vector; of a long text the model reads the first 256 tokens.
Both outputs hold a superset of the live memories: whether one is live is for memory.state and the memory store to say.
Invariants:
  * an UPSERT that stands has its vector, unless a DELETE that can no longer be undone stands too;
  * a DELETE by a command purges at once; a DELETE by the chain purges when its block is final, so that a reorg needs no vector
    back. Until then it waits in the local state, under its block; what is purged stays marked, and never comes back;
  * ``revert`` of a block after its ``apply`` leaves local state, table and store as they were.
State: ``p`` + block number (u64, big-endian) + agent + memory id + cause + block hash: a purge that waits;
``f`` + agent + memory id: purged for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from schemas.records import Memory, MemoryFact
from streams import topics
from streams.agents.base import VECTORS, Emit, LocalState, Record, StreamAgent
from streams.core.block import BlockRef
from streams.core.canonical_text import canonical_text
from streams.errors import PoisonError
from streams.ports.embedder import Embedder
from streams.ports.stores import VectorRow, VectorStore

WAITING, PURGED = b"p", b"f"
_KEY = slice(9, 9 + 52)
Floats = NDArray[np.float32]


class EmbeddingAgent(StreamAgent):
    """memory.log to rag.embeddings and the vector store."""

    name: ClassVar[str] = "embedding"
    inputs: ClassVar[tuple[str, ...]] = (topics.MEMORY_LOG,)
    tables: ClassVar[tuple[str, ...]] = (topics.EMBEDDINGS,)
    stateful: ClassVar[bool] = True
    keeps_state: ClassVar[bool] = True
    stores: ClassVar[tuple[str, ...]] = (VECTORS,)

    def __init__(self, partition: int, state: LocalState, embedder: Embedder, vectors: VectorStore) -> None:
        super().__init__(partition, state)
        self._embedder = embedder
        self._store = vectors
        self._ready: dict[str, Floats] = {}
        self._pending: dict[bytes, VectorRow | None] = {}

    async def prepare(self, records: Sequence[Record]) -> None:
        """Finds or computes the vectors of all texts among the records, off the event loop."""
        wanted: dict[tuple[bytes, bytes], str] = {}
        for record in records:
            memory = record.value["memory"] if record.type == "MemoryFact" else None
            if memory and (text := _text(memory)) is not None:
                wanted[memory["agent"], memory["id"]] = text
        self._ready = await self._known(wanted)
        texts = [text for text in dict.fromkeys(wanted.values()) if text not in self._ready]
        if texts:
            self._ready |= zip(texts, await asyncio.to_thread(self._embedder.embed, texts), strict=True)

    async def _known(self, wanted: Mapping[tuple[bytes, bytes], str]) -> dict[str, Floats]:
        """Vectors the store holds of these texts by this very model: what is read again is not computed again."""
        rows = await self._store.find(list(wanted)) if wanted else []
        found = zip(wanted.values(), rows, strict=True)
        return {text: row.vector for text, row in found if row is not None and row.source == self._source(text)}

    def _source(self, text: str) -> bytes:
        return blake3(self._embedder.model_hash + _digest(text) + self._embedder.backend.encode()).digest()

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        """Emits a vector for each UPSERT of a text, a tombstone for each purge. Raises PoisonError for what is no fact."""
        return [emit for fact in _facts(records) for emit in self._apply(fact)]

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        """Removes vectors of reverted UPSERTs; forgets purges that waited for reverted DELETEs."""
        return [emit for fact in reversed(_facts(records)) for emit in self._revert(fact)]

    def finalize(self, block: BlockRef) -> Iterable[Emit]:
        """Carries out the purges that waited for ``block`` and blocks before it."""
        due = []
        for waiting, _ in self.state.scan(WAITING):
            if int.from_bytes(waiting[1:9], "big") > block.number:
                break
            due.append(waiting)
        for waiting in due:
            self.state.delete(waiting)
        return [self._purge(key) for key in dict.fromkeys(waiting[_KEY] for waiting in due)]

    async def flush(self) -> None:
        """Writes the last word on each vector to the store."""
        writing, self._pending = self._pending, {}
        try:
            await self._store.upsert([row for row in writing.values() if row is not None])
            await self._store.delete([(key[:20], key[20:]) for key, row in writing.items() if row is None])
        except BaseException:
            self._pending = writing | self._pending
            raise

    async def flush_again(self) -> None:
        """Leaves the last word on each vector to ``flush``."""

    @property
    def held(self) -> int:
        return len(self._pending)

    def _apply(self, fact: MemoryFact) -> Iterator[Emit]:
        key = _key(fact)
        if fact["op"] == "UPSERT":
            yield from self._embed(key, fact)
        elif fact["block"] is None:
            yield self._purge(key)
        else:
            self.state.put(_waiting(fact), b"")

    def _revert(self, fact: MemoryFact) -> Iterator[Emit]:
        if fact["op"] == "DELETE":
            self.state.delete(_waiting(fact))
        elif fact["memory"] is not None and _text(fact["memory"]) is not None:
            yield self._remove(_key(fact))

    def _embed(self, key: bytes, fact: MemoryFact) -> Iterator[Emit]:
        memory = fact["memory"]
        assert memory is not None
        text = _text(memory)
        if text is None or self.state.get(PURGED + key) is not None:
            return
        vector = self._ready.get(text)
        if vector is None:  # not announced to prepare
            vector = self._embedder.embed([text])[0]
        block = fact["block"]
        place = block["hash"] if block else b""
        self._pending[key] = VectorRow(fact["owner"], fact["memory_id"], vector, place, self._source(text))
        record = {
            "memory_id": fact["memory_id"],
            "agent": fact["owner"],
            "block": block,
            "vector": vector.astype("<f4").tobytes(),
            "model": self._embedder.model,
            "model_hash": self._embedder.model_hash,
            "backend": self._embedder.backend,
            "text_digest": _digest(text),
            "sealed": None,
        }
        yield Emit(topics.EMBEDDINGS, key, "Embedding", record)

    def _purge(self, key: bytes) -> Emit:
        self.state.put(PURGED + key, b"")
        return self._remove(key)

    def _remove(self, key: bytes) -> Emit:
        self._pending[key] = None
        return Emit(topics.EMBEDDINGS, key, "Embedding", None)


def _text(memory: Memory) -> str | None:
    """What has a vector; nothing of an erased memory does, nor an amendment, which nobody searches for."""
    if memory["sealed"] is not None or memory["form"] == "AMENDMENT":
        return None
    return canonical_text(memory["content"], memory["media_type"])


def _digest(text: str) -> bytes:
    return blake3(text.encode()).digest()


def _key(fact: MemoryFact) -> bytes:
    return fact["owner"] + fact["memory_id"]


def _waiting(fact: MemoryFact) -> bytes:
    block = fact["block"]
    assert block is not None
    return WAITING + block["number"].to_bytes(8, "big") + _key(fact) + fact["cause"] + block["hash"]


def _facts(records: Sequence[Record]) -> list[MemoryFact]:
    """The facts, all checked before the first is acted on."""
    facts: list[MemoryFact] = [record.value for record in records]
    for record, fact in zip(records, facts, strict=True):
        if record.type != "MemoryFact":
            raise PoisonError(f"{record.topic} holds a {record.type}, which is no input of the embedding agent")
        memory = fact["memory"]
        if fact["op"] == "UPSERT" and (memory is None or memory["id"] != fact["memory_id"] or memory["agent"] != fact["owner"]):
            raise PoisonError(f"an UPSERT of memory {fact['memory_id'].hex()} does not hold that memory of its owner")
    return facts
