"""The VectorStore on one Milvus collection that holds all agents.

What stands in it: ``rows``. How it is laid out: ``collection``. Which reads wait for what: ``horizon``. Who writes: ``lanes``.
Only upserts and deletes by key, never inserts: after a crash an unacknowledged batch may be there by half, and comes again.
One writer thread, one request at a time (Milvus Lite asks for it), ``BATCH`` rows at most in each, fewer where the server is
slow; a flush before a search if many rows wait, which Milvus Lite scans slowly. Milvus Lite has one process: it needs no
horizon, and its lanes are in memory.
It does not force its log to disk on each write and notices no damage: after a power cut, rebuild it from the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from connectors.stores.keys import check_agent
from connectors.stores.milvus import lanes
from connectors.stores.milvus.client import (
    NOT_FOUND,
    READ_TIMEOUT,
    TIMEOUT,
    Access,
    ServerAwayError,
    code_of,
    connect,
    failure,
)
from connectors.stores.milvus.collection import partition_of, prepare, search_parameters
from connectors.stores.milvus.horizon import Horizon
from connectors.stores.milvus.link import Link
from connectors.stores.milvus.rows import FIELDS, NAME_DIGITS, entity, memory_id_of, pseudonym, row_key, vector_row
from connectors.stores.vectors import DIMENSION, check_query
from streams.core.batching import Batching, weight
from streams.errors import ConfigurationError, FencedError, StoreError
from streams.policy import StoreOpenError, Terms, policy_for
from streams.pools import measure_pool
from streams.ports.stores import Changes, Hit, VectorRow, Version

T = TypeVar("T")
Floats = NDArray[np.float32]
COLLECTION = "monmouth_vectors"
BATCH = 1_000
LIMIT = 16_384
AGENTS = 1_000
"""Most agents in one request."""
FLUSH_AFTER = 500
REQUEST_SECONDS = 10.0
"""What one write should take, far below what it may."""
READERS = 8
LATE_SECONDS = 5.0
"""For which who can wait for the server waits at the start, before it goes on without it."""
TERMS = Terms(open_seconds=5.0, concurrent=None, call_seconds=None, opened=StoreOpenError)
"""pymilvus bounds time and tries; the threads bound how many there are."""
log = logging.getLogger(__name__)


def _nothing() -> None:
    """The call that only needs the connection."""


class MilvusVectorStore:
    """Connects, and makes the collection. ``index``: of a collection that is made; one that is there keeps its own.

    ``late``: a server that is away now, or slow to answer, is connected to by the first call that finds it; until then each
    raises StoreError, and ``identity`` is empty.
    """

    def __init__(
        self,
        access: Access | str,
        collection: str = COLLECTION,
        dimension: int = DIMENSION,
        index: str = "FLAT",
        *,
        late: bool = False,
    ) -> None:
        self.access = access if isinstance(access, Access) else Access(access)
        self.dimension = dimension
        self._collection = self._target = collection
        self._client: Any = None
        self.identity, self.index = b"", index
        self._link = Link(self._connect)
        self._policy = policy_for(f"milvus {self.access.place}", TERMS)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="milvus-write")
        # Of its own: reads of a server that hangs would hold the threads that everything else of the process runs in.
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="milvus-read")
        self._horizon = Horizon(self._present, told=self.access.lite)
        self._owners: dict[bytes, int] = {}
        self._lane: bytes | None = None
        self._owner = 0
        self._waiting = [0]
        self._open = [True]
        self._batching = Batching(BATCH, seconds=REQUEST_SECONDS, first=BATCH * weight(4 * dimension))
        self._reading = [0]
        measure_pool(self, "milvus", READERS, MilvusVectorStore.reading)
        if late:
            self._begin()
        else:
            self._translated(_nothing)

    def _begin(self) -> None:
        """Connects, if that can be done soon: a server that hangs, or loads for minutes, holds nobody up. Raises refusals."""
        attempt = self._writer.submit(self._translated, _nothing)
        try:
            attempt.result(LATE_SECONDS)
        except (ServerAwayError, StoreOpenError) as error:
            log.warning("%s: started without it", error.message)
        except TimeoutError:
            log.warning("vector store %s has not answered within %g s: started without it", self.access.place, LATE_SECONDS)

    def _connect(self) -> None:
        client = connect(self.access)
        try:
            identity, found = prepare(client, self._collection, self.dimension, self.index, lite=self.access.lite)
        except BaseException:
            client.close()
            raise
        if found != self.index:
            log.warning(
                "collection %s keeps its index %s; for %s name another rag.vector_collection",
                self._collection,
                found,
                self.index,
            )
        self._client, self.identity, self.index = client, identity, found

    async def upsert(self, rows: Sequence[VectorRow]) -> None:
        entities = {}
        for made in [entity(row, self.dimension) for row in rows]:
            if made is not None:
                entities[made["key"]] = made  # one row per key: what a server keeps of two equal ones is not defined
        for part in _parts(list(entities.values()), lambda made: made["agent"]):
            await self._upsert_part(part)

    async def _upsert_part(self, rows: Sequence[dict[str, Any]]) -> None:
        """In requests as large as the server takes in time: one that it failed at is not sent again as it was."""
        size = 4 * self.dimension
        while rows:
            count = self._batching.fits([size] * len(rows))
            weighed = count * weight(size)
            try:
                seconds = await self._run(partial(self._upsert, rows[:count]))
            except StoreError:
                self._batching.failed(weighed)
                raise
            self._batching.took(count, weighed, seconds)
            rows = rows[count:]

    async def delete(self, keys: Sequence[tuple[bytes, bytes]]) -> None:
        named = [key for agent, memory_id in keys if (key := row_key(agent, memory_id)) is not None]
        for part in _parts(list(dict.fromkeys(named)), lambda key: key[:NAME_DIGITS]):
            await self._run(partial(self._delete, part))

    async def claim(self, lane: bytes) -> MilvusVectorStore:
        """A handle that ends with this one; its writes stop when the lane is claimed again. It sees what was written before.

        Rows of a batch that its former owner did not finish may be there: at worst of a block that was undone since. No answer
        holds what does not stand, and the row goes when the new owner comes to the same place of the log.
        """
        self._refuse_closed()
        target = self._target
        if not self.access.lite:
            target = await self._run(lambda: lanes.claim(self._client, self._collection, lane))
        claimed = copy(self)  # of one that is connected
        claimed._lane = lane
        if self.access.lite:
            claimed._owner = self._owners[lane] = self._owners.get(lane, 0) + 1
            return claimed
        claimed._target = target
        claimed._horizon = Horizon(self._present)
        claimed._horizon.catch_up()
        return claimed

    def catch_up(self) -> None:
        """See ``streams.ports.stores.Catching``. Asks for the moment at once, so that a read that comes later need not wait."""
        if self._horizon.catch_up() and self._link.made and self._open[0] and not self.access.lite:
            self._writer.submit(self._horizon.moment, ())

    async def search(self, agent: bytes, vector: Floats, limit: int) -> list[Hit]:
        return await self.nearest({agent}, vector, limit)

    async def nearest(self, agents: Set[bytes], vector: Floats, limit: int) -> list[Hit]:
        """See ``streams.ports.search.PooledSearch``."""
        self._refuse_closed()
        query = check_query(vector, self.dimension)
        names = {name: agent for agent in sorted(agents) if (name := pseudonym(check_agent(agent))) is not None}
        if limit <= 0:
            return []
        if not names:
            await self._read(self._ping)
            return []
        if self.access.lite and self._waiting[0] > FLUSH_AFTER:
            await self._run(self._flush)
        asked = list(names)
        hits: list[Hit] = []
        for start in range(0, len(asked), AGENTS):
            part = asked[start : start + AGENTS]
            for found in await self._read(partial(self._search, part, query, min(limit, LIMIT))):
                owner = names.get(found["key"][:NAME_DIGITS])  # a hit of an agent not asked of is dropped
                memory_id = None if owner is None else memory_id_of(owner, found["key"], found["sealed"])
                if owner is not None and memory_id is not None:
                    hits.append(Hit(owner, memory_id, found["score"]))
        return sorted(hits, key=lambda hit: (-round(hit.score, 6), hit.agent, hit.memory_id))[:limit]

    async def get(self, agent: bytes, memory_id: bytes) -> Floats | None:
        (row,) = await self.find([(agent, memory_id)])
        return None if row is None else row.vector

    async def find(self, keys: Sequence[tuple[bytes, bytes]]) -> list[VectorRow | None]:
        self._refuse_closed()
        named = {(agent, memory_id): row_key(agent, memory_id) for agent, memory_id in keys}
        agents = {name: agent for (agent, _), name in named.items() if name is not None}
        parts = _parts(list(agents), lambda key: key[:NAME_DIGITS])
        read = await asyncio.gather(*(self._read(partial(self._rows, part)) for part in parts))
        found = {row["key"]: vector_row(agents[row["key"]], row) for rows in read for row in rows}
        return [None if (name := named[key]) is None else found.get(name) for key in keys]

    async def version(self, agent: bytes) -> Version | None:
        """None: Milvus keeps no number that changes with an agent's rows, and one kept beside them would not be atomic."""
        check_agent(agent)
        return None

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        """None, as ``version``."""
        check_agent(agent)
        return None

    def name_of(self, agent: bytes) -> str:
        """See ``streams.ports.stores.Clearable``."""
        return pseudonym(agent) or ""

    async def clear(self, name: str) -> str:
        """See ``streams.ports.stores.Clearable``. Until its segments are rewritten, they hold what was deleted in the clear."""
        if name:
            await self._run(partial(self._clear, name))
        await self._run(self._flush)  # a delete that is in no segment yet would be left out
        if self.access.lite:
            return "deleted; the Milvus Lite file may hold them until it is made anew: move it away and start the workers again"
        await self._run(lambda: self._client.compact(self._collection, timeout=TIMEOUT))
        return (
            "deleted; the Milvus server was told to rewrite its files without them, and does it in its own time: see "
            "docs/security.md"
        )

    async def close(self) -> None:
        if self._open[0] and self._lane is None:
            self._open[0] = False
            made = self._link.made  # if not, there is nothing to wait for but a server that may never answer
            for threads in (self._writer, self._readers):
                await asyncio.to_thread(threads.shutdown, made, cancel_futures=not made)
            if self._link.made:
                await asyncio.to_thread(self._client.close)

    async def _run(self, call: Callable[[], T]) -> T:
        self._refuse_closed()
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._translated, call)

    async def _read(self, call: Callable[[], T]) -> T:
        self._refuse_closed()
        self._reading[0] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._translated, call)
        finally:
            self._reading[0] -= 1

    def reading(self) -> int | None:
        """Readers at work; None when it is closed."""
        return min(READERS, self._reading[0]) if self._open[0] else None

    def _refuse_closed(self) -> None:
        if not self._open[0]:
            raise StoreError(f"vector store {self.access.place} is closed")

    def _translated(self, call: Callable[[], T]) -> T:
        with self._policy.guarded():
            try:
                self._link.need()
                return call()
            except (StoreError, ConfigurationError, FencedError):
                raise
            except Exception as error:  # pymilvus raises its own, gRPC's and plain kinds
                raise failure(self.access, error) from None

    def _upsert(self, rows: Sequence[dict[str, Any]]) -> float:
        """Seconds it took."""
        started = time.monotonic()
        done = self._owned(partial(self._client.upsert, self._target, list(rows), **self._place(rows[0]["agent"])))
        if int(done["upsert_count"]) != len(rows):
            raise StoreError(f"vector store {self.access.place} acknowledged {done['upsert_count']} of {len(rows)} vectors")
        self._horizon.wrote(row["key"] for row in rows)
        self._waiting[0] += len(rows)
        return time.monotonic() - started

    def _delete(self, keys: Sequence[str]) -> None:
        # a server answers {'delete_count': n}, Milvus Lite the list of ids; neither tells which were there, so neither is read
        self._owned(partial(self._client.delete, self._target, ids=list(keys), **self._place(keys[0])))
        self._horizon.wrote(keys)

    def _owned(self, call: Callable[[], T]) -> T:
        """Writes as the owner of the lane, if this handle is one's. Raises FencedError."""
        if self._lane is None:
            return call()
        if self.access.lite:
            if self._owners[self._lane] != self._owner:
                raise lanes.fenced(self._lane)
            return call()
        try:
            return call()
        except Exception as error:
            if code_of(error) == NOT_FOUND and self._client.has_collection(self._collection, timeout=TIMEOUT):
                raise lanes.fenced(self._lane) from None
            raise

    def _clear(self, name: str) -> None:
        self._client.delete(self._collection, filter=f'agent == "{name}"', **self._place(name))

    def _place(self, name: str) -> dict[str, Any]:
        return {"timeout": TIMEOUT} | ({} if self.access.lite else {"partition_name": partition_of(name)})

    def _flush(self) -> None:
        self._client.flush(self._collection, timeout=TIMEOUT)
        self._waiting[0] = 0

    def _search(self, names: Sequence[str], query: Floats, limit: int) -> list[dict[str, Any]]:
        wanted = f'agent == "{names[0]}"' if len(names) == 1 else f"agent in {list(names)}".replace("'", '"')
        (hits,) = self._client.search(
            self._collection,
            [query],
            limit=limit,
            filter=wanted,
            output_fields=["key", "sealed"],
            search_params=search_parameters(self.index, limit),
            **self._moment(names, None),
        )
        return [{**hit["entity"], "score": float(hit["distance"])} for hit in hits]

    def _rows(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.get(
            self._collection, ids=list(keys), output_fields=FIELDS, **self._moment(keys[:1], keys)
        )
        return found

    def _moment(self, names: Sequence[str], keys: Sequence[str] | None) -> dict[str, Any]:
        if self.access.lite:
            return {"timeout": READ_TIMEOUT}
        return {
            "timeout": READ_TIMEOUT,
            "partition_names": sorted({partition_of(name) for name in names}),
            "consistency_level": "Customized",
            "guarantee_timestamp": self._horizon.moment(keys),
        }

    def _ping(self) -> None:
        """Nobody is known who was asked of. That the server is gone would be known nevertheless."""
        if not self.access.lite:
            self._present()

    def _present(self) -> int:
        """The server's clock. pymilvus has no public call for it; its handler has had this one since servers have it."""
        return int(self._client._get_connection().alloc_timestamp(timeout=READ_TIMEOUT))


def _parts(items: Sequence[T], name: Callable[[T], str]) -> Iterator[Sequence[T]]:
    """By partition, ``BATCH`` at most."""
    places: dict[str, list[T]] = {}
    for item in items:
        places.setdefault(partition_of(name(item)), []).append(item)
    for part in places.values():
        for start in range(0, len(part), BATCH):
            yield part[start : start + BATCH]
