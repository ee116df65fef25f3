"""The embedded VectorStore: vectors in LMDB, exact cosine search over one agent's vectors at a time.

Databases. ``vectors``: agent (20) + memory id (32) -> XXH3-64 (8), then as the codec seals them: float32 little-endian, length
of the block hash (1), block hash (0 or 32), source. And those of the change index, which names the set of vectors an agent has.
Assumes that the process has the keys of what others wrote. In the clear, vectors are in memory only.
Invariants:
  * An agent whose last vector is deleted leaves nothing behind.
  * A search sees every write acknowledged, by any process, before it began, and no other agent's row: a cached matrix of the
    same epoch reads what changed since, any other is read anew.
  * Memory is bounded: matrices by the cache, an agent larger than the whole cache by searching it in chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64_digest

from connectors.stores.agent_matrix import AgentMatrix, Floats, best, cosines
from connectors.stores.change_index import DATABASES, AgentState, ChangeIndex, index_rows
from connectors.stores.keys import AGENT, check_agent, check_id
from connectors.stores.lmdb_environment import MAP_SIZE, REBUILD, Claim, Transaction, close_environment, open_environment
from connectors.stores.matrix_cache import Entry, MatrixCache
from connectors.stores.vectors import DIMENSION, check_query, check_vector
from schemas.codec import SchemaError, codec
from streams.errors import StoreError
from streams.ports.stores import Changes, Hit, VectorRow, Version

FORMAT = "monmouth/vectors/3"
UNSEALED = "monmouth/vectors/2"
UNINDEXED = "monmouth/vectors/1"
CACHE_BYTES = 256 << 20
CHUNK = 4_096
_CHECK = 8
KIND = "vector"


class LmdbVectorStore:
    """VectorStore in ``folder``. ``cache_bytes`` bounds the matrices held in memory by this handle."""

    def __init__(
        self, folder: Path, dimension: int = DIMENSION, cache_bytes: int = CACHE_BYTES, map_size: int = MAP_SIZE
    ) -> None:
        self.dimension = dimension
        self.cache = MatrixCache(cache_bytes)
        self._row = 4 * dimension
        upgrades = {f"{UNSEALED}/{dimension}": _seal_rows, f"{UNINDEXED}/{dimension}": _index_and_seal_rows}
        self._env = open_environment(folder, ("vectors", *DATABASES), f"{FORMAT}/{dimension}", map_size, upgrades)
        self._vectors = self._env.databases["vectors"]
        self._index = ChangeIndex(self._env.databases)
        self._closed = False
        self._claim: Claim | None = None

    @property
    def identity(self) -> bytes:
        return self._env.identity

    async def claim(self, lane: bytes) -> LmdbVectorStore:
        """A handle on the same files that ends with this one; its writes stop when the lane is claimed again."""
        self._refuse_closed()
        claimed = copy(self)
        claimed._claim = await self._env.claim(lane)
        return claimed

    async def upsert(self, rows: Sequence[VectorRow]) -> None:
        changes: dict[bytes, bytes | None] = {}
        for row in rows:
            key = check_agent(row.agent) + check_id(row.memory_id)
            body = (
                check_vector(row.vector, self.dimension).tobytes() + bytes([len(row.block_hash)]) + row.block_hash + row.source
            )
            changes[key] = _pack(key, body)
        await self._change(changes)

    async def delete(self, keys: Sequence[tuple[bytes, bytes]]) -> None:
        await self._change({check_agent(agent) + check_id(memory_id): None for agent, memory_id in keys})

    async def search(self, agent: bytes, vector: Floats, limit: int) -> list[Hit]:
        self._refuse_closed()
        query = check_query(vector, self.dimension)
        found = await self._env.read(partial(self._search, agent=check_agent(agent), query=query, limit=limit))
        return [Hit(agent, memory_id, score) for memory_id, score in found]

    async def get(self, agent: bytes, memory_id: bytes) -> Floats | None:
        self._refuse_closed()
        key = check_agent(agent) + check_id(memory_id)
        return await self._env.read(partial(self._vector, key=key))

    async def find(self, keys: Sequence[tuple[bytes, bytes]]) -> list[VectorRow | None]:
        self._refuse_closed()
        wanted = [check_agent(agent) + check_id(memory_id) for agent, memory_id in keys]
        return await self._env.rows(lambda txn: [self._found(txn, key) for key in wanted], len(wanted))

    async def version(self, agent: bytes) -> Version:
        self._refuse_closed()
        return self._env.peek(partial(self._index.version, agent=check_agent(agent)))

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes:
        self._refuse_closed()
        return await self._env.read(partial(self._index.changes, agent=check_agent(agent), since=since, limit=limit))

    async def close(self) -> None:
        if not self._closed and self._claim is None:
            self._closed = True
            close_environment(self._env)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreError(f"vector store {self._env.folder} is closed")

    async def _change(self, changes: Mapping[bytes, bytes | None]) -> None:
        self._refuse_closed()
        if changes:
            await self._env.write(partial(self._write, changes=changes), self._claim)

    def _write(self, txn: Transaction, changes: Mapping[bytes, bytes | None]) -> None:
        changed: dict[bytes, dict[bytes, bool]] = {}
        for key, value in changes.items():
            old = txn.pop(key, db=self._vectors) if value is None else txn.replace(key, value, db=self._vectors)
            if old != value:
                changed.setdefault(key[:AGENT], {})[key[AGENT:]] = value is not None
        for agent, ids in changed.items():
            self._index.note(txn, agent, ids)

    def _search(self, txn: Transaction, agent: bytes, query: Floats, limit: int) -> list[tuple[bytes, float]]:
        state = self._index.state(txn, agent)
        if state is None:
            self.cache.drop(agent)
            return []
        if state.rows * self._row > self.cache.capacity:
            return self._search_in_chunks(txn, agent, query, limit)
        entry = self.cache.entry(agent)
        with entry.lock:
            matrix = self._refresh(txn, agent, entry, state)
            hits = matrix.search(query, limit)
        self.cache.settle(agent, entry)
        return hits

    def _refresh(self, txn: Transaction, agent: bytes, entry: Entry, state: AgentState) -> AgentMatrix:
        """Brings the entry to ``state``. One that another thread brought further already is fine as it is."""
        matrix = entry.matrix
        if matrix is not None and entry.version >= state.version:
            return matrix
        if matrix is None or entry.version.epoch != state.epoch:
            ids, rows = next(self._chunks(txn, agent, state.rows), ([], np.empty((0, self.dimension), np.float32)))
            matrix = AgentMatrix(ids, rows)
        else:
            for _, memory_id in self._index.since(txn, agent, entry.version.sequence):
                vector = self._vector(txn, agent + memory_id)
                matrix.remove(memory_id) if vector is None else matrix.put(memory_id, vector)
        entry.matrix, entry.version = matrix, state.version
        return matrix

    def _search_in_chunks(self, txn: Transaction, agent: bytes, query: Floats, limit: int) -> list[tuple[bytes, float]]:
        hits: list[tuple[bytes, float]] = []
        for ids, rows in self._chunks(txn, agent, CHUNK):
            hits += best(ids, cosines(rows, query), limit)
            hits = best([i for i, _ in hits], np.array([s for _, s in hits], np.float32), limit)
        return hits

    def _chunks(self, txn: Transaction, agent: bytes, size: int) -> Iterator[tuple[list[bytes], Floats]]:
        """The agent's ids and vectors, ``size`` rows at a time."""
        ids: list[bytes] = []
        parts: list[bytes] = []
        with txn.cursor(db=self._vectors) as cursor:
            there = cursor.set_range(agent)
            while there and (key := cursor.key()).startswith(agent):
                body = self._body(key, cursor.value())
                if body is not None:
                    ids.append(key[AGENT:])
                    parts.append(body[: self._row])
                there = cursor.next()
                if len(ids) == size:
                    yield ids, self._stack(parts)
                    ids, parts = [], []
        if ids:
            yield ids, self._stack(parts)

    def _stack(self, parts: Sequence[bytes]) -> Floats:
        return np.frombuffer(b"".join(parts), "<f4").reshape(len(parts), self.dimension)

    def _vector(self, txn: Transaction, key: bytes) -> Floats | None:
        value = txn.get(key, db=self._vectors)
        body = None if value is None else self._body(key, value)
        return None if body is None else np.frombuffer(body[: self._row], "<f4")

    def _found(self, txn: Transaction, key: bytes) -> VectorRow | None:
        value = txn.get(key, db=self._vectors)
        body = None if value is None else self._body(key, value)
        if body is None:
            return None
        start = self._row + 1
        end = start + body[start - 1]
        return VectorRow(key[:AGENT], key[AGENT:], np.frombuffer(body[: self._row], "<f4"), body[start:end], body[end:])

    def _body(self, key: bytes, value: bytes) -> bytes | None:
        """The vector's bytes and what follows them, if the row's checksum holds; None if its agent was erased."""
        if xxh3_64_digest(value[_CHECK:]) != value[:_CHECK]:
            raise self._unreadable(key, "its checksum does not hold")
        try:
            body = codec().unseal(KIND, key[:AGENT], key[AGENT:], value[_CHECK:])
        except SchemaError as error:
            raise self._unreadable(key, str(error)) from None
        if body is not None and len(body) <= self._row:
            raise self._unreadable(key, "it is too short")
        return body

    def _unreadable(self, key: bytes, cause: str) -> StoreError:
        place = f"the vector of memory {key[AGENT:].hex()} of agent 0x{key[:AGENT].hex()}"
        return StoreError(f"{place} is not readable in {self._env.folder}: {cause}", REBUILD)


def _pack(key: bytes, body: bytes) -> bytes:
    sealed = codec().seal(KIND, key[:AGENT], key[AGENT:], body)
    return bytes(xxh3_64_digest(sealed)) + sealed


def _seal_rows(txn: Transaction, databases: Mapping[str, Any]) -> None:
    """Brings rows that were written in the open to this format. Pages they lay on are free from now on, not wiped."""
    with txn.cursor(db=databases["vectors"]) as cursor:
        there = cursor.first()
        while there:
            cursor.put(cursor.key(), _pack(cursor.key(), cursor.value()[_CHECK:]))
            there = cursor.next()


def _index_and_seal_rows(txn: Transaction, databases: Mapping[str, Any]) -> None:
    index_rows(txn, databases, rows="vectors")
    _seal_rows(txn, databases)
