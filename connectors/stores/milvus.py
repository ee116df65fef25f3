"""VectorStore on Milvus: a server, or a Milvus Lite file that lives in this process alone.

Assumes pymilvus (extra ``milvus``), imported when a store is opened. One collection holds all agents; the primary key is agent
and memory id in hex, so writing twice is writing once, and every search filters by agent.
Choices, each for a measured reason:
  * Only upserts, never inserts: after a crash an unacknowledged batch may be there by half, and comes again.
  * FLAT index: filtered approximate indexes lose recall (down to 0.1 in Milvus Lite). It computes only what the filter on the
    agent leaves; on a server that filter has an index of its own.
  * No partition key: with one, server 2.3.5 puts upserted rows where a search for their agent does not look.
  * Session consistency on every read: with the default a client may not see its own write. Another process may see a write
    later, and on a server a deleted vector may be found for up to a second; the memory store decides what is live, so neither
    lets an answer hold what it must not.
  * One writer thread (Milvus Lite asks for it); a flush before a search if many rows wait, which Milvus Lite scans slowly.
Milvus Lite does not force its log to disk on each write and notices no damage: after a power cut, rebuild it from the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from connectors.stores.keys import AGENT, check_agent, check_id
from connectors.stores.vectors import DIMENSION, check_query, check_vector
from streams.errors import ConfigurationError, StoreError
from streams.ports.stores import Changes, Hit, VectorRow, Version

T = TypeVar("T")
Floats = NDArray[np.float32]
CONSISTENCY = "Session"
BATCH = 1_000
LIMIT = 16_384
FLUSH_AFTER = 500
TIMEOUT = 30.0
_AGENT_HEX = 2 * AGENT
_FIELDS = ["key", "block", "source", "vector"]


def _client(uri: str, token: str, lite: bool) -> Any:
    try:
        from pymilvus import MilvusClient  # noqa: PLC0415  (an extra, and slow to import)

        if lite:
            import milvus_lite  # noqa: F401, PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"the vector store {uri} needs {error.name}", "Install it: pip install 'monmouth[milvus]'"
        ) from None
    try:
        return MilvusClient(uri=uri, token=token, timeout=TIMEOUT)
    except Exception as error:  # pymilvus raises its own, gRPC's and plain kinds
        hint = (
            "A Milvus Lite file belongs to one process; stop the other one, or use a Milvus server."
            if lite
            else "Start the server, or set rag.vector_store_url; empty means the embedded store."
        )
        raise StoreError(f"vector store {uri} cannot be opened: {error}", hint) from None


class MilvusVectorStore:
    """``uri``: http://host:port, or the path of a Milvus Lite file that ends in .db. Connects, and makes the collection."""

    def __init__(self, uri: str, token: str = "", collection: str = "monmouth_vectors", dimension: int = DIMENSION) -> None:
        self.dimension = dimension
        self.lite = uri.endswith(".db")
        self._uri = uri
        self._collection = collection
        if self.lite:
            Path(uri).absolute().parent.mkdir(parents=True, exist_ok=True)
        self._client = _client(uri, token, self.lite)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="milvus-write")
        self._unflushed = 0
        self._closed = False
        self.identity = b""
        try:
            self._translated(self._prepare_collection)
        except BaseException:
            self._client.close()
            raise

    async def upsert(self, rows: Sequence[VectorRow]) -> None:
        entities = {}
        for row in rows:
            key = (check_agent(row.agent) + check_id(row.memory_id)).hex()
            vector = check_vector(row.vector, self.dimension)
            # one row per key: what a server keeps of two equal keys in one request is not defined
            entities[key] = {
                "key": key,
                "agent": row.agent.hex(),
                "block": row.block_hash.hex(),
                "source": row.source.hex(),
                "vector": vector,
            }
        await self._write(self._upsert, list(entities.values()))

    async def delete(self, keys: Sequence[tuple[bytes, bytes]]) -> None:
        await self._write(self._delete, [(check_agent(agent) + check_id(memory_id)).hex() for agent, memory_id in keys])

    async def claim(self, lane: bytes) -> MilvusVectorStore:
        """The store itself: Milvus has no transaction that could check an owner, so a late write of a former one gets through.

        What it may spoil is a vector (missing, or of a memory that is gone), never what a reader is told of the chain.
        """
        return self

    async def search(self, agent: bytes, vector: Floats, limit: int) -> list[Hit]:
        name = check_agent(agent).hex()
        query = check_query(vector, self.dimension)
        if limit <= 0:
            return []
        if self.lite and self._unflushed > FLUSH_AFTER:
            await self._write(self._flush, [None])
        found = await self._read(lambda: self._search(name, query, min(limit, LIMIT)))
        hits = [Hit(agent, bytes.fromhex(key[_AGENT_HEX:]), score) for key, score in found if key.startswith(name)]
        return sorted(hits, key=lambda hit: (-round(hit.score, 6), hit.memory_id))

    async def get(self, agent: bytes, memory_id: bytes) -> Floats | None:
        key = (check_agent(agent) + check_id(memory_id)).hex()
        rows = await self._read(lambda: self._rows([key]))
        return np.asarray(rows[0]["vector"], np.float32) if rows else None

    async def find(self, keys: Sequence[tuple[bytes, bytes]]) -> list[VectorRow | None]:
        names = [(check_agent(agent) + check_id(memory_id)).hex() for agent, memory_id in keys]
        found: dict[str, VectorRow] = {}
        for batch in _batches(list(dict.fromkeys(names))):
            for row in await self._read(partial(self._rows, batch)):
                found[row["key"]] = _vector_row(row)
        return [found.get(name) for name in names]

    async def version(self, agent: bytes) -> Version | None:
        """None: Milvus keeps no number that changes with an agent's rows, and one kept beside them would not be atomic."""
        check_agent(agent)
        return None

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        """None, as ``version``."""
        check_agent(agent)
        return None

    async def compact(self) -> str:
        """Has segments rewritten without what was deleted, which they hold in the clear until then; what came of it."""
        await self._write(self._flush, [None])  # what was deleted since would else be in no segment yet
        if self.lite:
            return "deleted; the Milvus Lite file may hold them until it is made anew: move it away and start the workers again"
        await self._write(self._compact, [None])
        return "deleted; the Milvus server was told to compact, and does it in its own time"

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._writer.shutdown)
            await asyncio.to_thread(self._client.close)

    async def _write(self, call: Callable[[Sequence[Any]], None], items: Sequence[Any]) -> None:
        self._refuse_closed()
        loop = asyncio.get_running_loop()
        for batch in _batches(items):
            await loop.run_in_executor(self._writer, self._translated, partial(call, batch))

    async def _read(self, call: Callable[[], T]) -> T:
        self._refuse_closed()
        return await asyncio.to_thread(self._translated, call)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreError(f"vector store {self._uri} is closed")

    def _translated(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except (StoreError, ConfigurationError):
            raise
        except Exception as error:  # pymilvus raises its own, gRPC's and plain kinds
            hint = "Check that the Milvus server runs; the work is repeated when it is back."
            raise StoreError(f"vector store {self._uri}: {error}", "" if self.lite else hint) from None

    def _prepare_collection(self) -> None:
        if not self._client.has_collection(self._collection):
            self._create_collection()
        described = self._client.describe_collection(self._collection)
        fields, self.identity = described["fields"], str(described.get("collection_id") or "").encode()
        dimension = next((f["params"].get("dim") for f in fields if f["name"] == "vector"), None)
        if dimension is None or int(dimension) != self.dimension:
            raise ConfigurationError(
                f"collection {self._collection} of {self._uri} holds vectors of dimension {dimension}, not {self.dimension}",
                "It belongs to another model or program; give this one a store of its own.",
            )
        self._client.load_collection(self._collection)

    def _create_collection(self) -> None:
        from pymilvus import DataType  # noqa: PLC0415

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("key", DataType.VARCHAR, max_length=104, is_primary=True)
        schema.add_field("agent", DataType.VARCHAR, max_length=40)
        schema.add_field("block", DataType.VARCHAR, max_length=64)
        schema.add_field("source", DataType.VARCHAR, max_length=64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self.dimension)
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="COSINE")
        if not self.lite:
            index.add_index("agent", index_type="Trie")
        self._client.create_collection(self._collection, schema=schema, index_params=index, consistency_level=CONSISTENCY)

    def _upsert(self, rows: Sequence[dict[str, Any]]) -> None:
        done = self._client.upsert(self._collection, list(rows), timeout=TIMEOUT)
        if int(done["upsert_count"]) != len(rows):
            raise StoreError(f"vector store {self._uri} acknowledged {done['upsert_count']} of {len(rows)} vectors")
        self._unflushed += len(rows)

    def _delete(self, keys: Sequence[str]) -> None:
        # a server answers {'delete_count': n}, Milvus Lite the list of ids; neither tells which were there, so neither is read
        self._client.delete(self._collection, ids=list(keys), timeout=TIMEOUT)

    def _flush(self, _: Sequence[None]) -> None:
        self._client.flush(self._collection)
        self._unflushed = 0

    def _compact(self, _: Sequence[None]) -> None:
        self._client.compact(self._collection)

    def _search(self, agent: str, query: Floats, limit: int) -> list[tuple[str, float]]:
        (hits,) = self._client.search(
            self._collection,
            [query],
            limit=limit,
            filter=f'agent == "{agent}"',
            output_fields=["key"],
            search_params={"metric_type": "COSINE"},
            consistency_level=CONSISTENCY,
            timeout=TIMEOUT,
        )
        return [(hit["entity"]["key"], float(hit["distance"])) for hit in hits]

    def _rows(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.get(
            self._collection, ids=list(keys), output_fields=_FIELDS, consistency_level=CONSISTENCY, timeout=TIMEOUT
        )
        return found


def _vector_row(entity: dict[str, Any]) -> VectorRow:
    key, block, source = (bytes.fromhex(entity[name]) for name in ("key", "block", "source"))
    return VectorRow(key[:AGENT], key[AGENT:], np.asarray(entity["vector"], np.float32), block, source)


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
