"""One agent's index, kept equal to what the stores and the chain view say.

Rows are read when their version moved. A row whose facts all lie in the chain below the view's floor is settled: only the store
can change it, or a rewrite of what was thought final. The others are open, and looked at again as the chain moves.
Invariant: after ``refresh`` the index holds exactly the texts and links that were live in the view at its end, so equal states
of memory give equal answers, whatever was undone on the way there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from schemas.records import Memory
from streams.core.canonical import CanonicalView
from streams.core.presence import Presence
from streams.core.session import in_zone
from streams.ports.stores import MemoryStore, StoredMemory, VectorRow, VectorStore, Version
from streams.retrieval.document import document_of
from streams.retrieval.index import MemoryIndex
from streams.retrieval.links import links_of
from streams.serving.retrieval import metrics

PAGE = 1_000
UNVERSIONED = 256
"""Rows without a vector that are asked for again at each look, where the vector store cannot tell what is new."""
ROUNDS = 8
OPEN_BYTES = 500


class UntoldError(Exception):
    """The memory store cannot tell what changed."""


class KeptIndex:
    """Hold ``lock`` while refreshing or using ``index``."""

    def __init__(self, agent: bytes, dimension: int, tags: frozenset[str] | None = None) -> None:
        """``tags``: the index is that of the memories with one of them, and knows nothing of the others; None: of all."""
        self.agent = agent
        self._tags = tags
        self.lock = asyncio.Lock()
        self.charged = 0
        self.too_large = False
        self._dimension = dimension
        self._forget()

    @property
    def nbytes(self) -> int:
        """Memory held, estimated."""
        return self.index.nbytes + OPEN_BYTES * len(self._open)

    def _forget(self) -> None:
        self.index = MemoryIndex(self._dimension)
        self._open: dict[bytes, Presence] = {}
        self._bare: set[bytes] = set()
        self._memories: Version | None = None
        self._vectors: Version | None = None
        self._stood: int | None = None
        self._fresh: dict[bytes, None] = {}
        self._settled_below = 0
        self._rewrites: int | None = None

    async def refresh(self, memories: MemoryStore, vectors: VectorStore, view: CanonicalView, capacity: int) -> None:
        """Brings the index to what is live now. Ends early, ``too_large`` set, where it outgrows ``capacity`` bytes.

        Raises UntoldError, StoreError. A failure leaves what the next refresh repairs.
        """
        self.too_large = False
        if self._rewrites != view.rewrites:  # what was below the floor is not as it was
            self._forget()
        rewrites = view.rewrites
        await self._follow(memories, vectors, view, capacity)
        for _ in range(ROUNDS):
            flipped = self._flipped(view)
            if not flipped:
                break
            await self._read(flipped, memories, vectors, view)
        self._settle(view)
        self._rewrites = rewrites  # one that came meanwhile is met by the next refresh

    async def _follow(self, memories: MemoryStore, vectors: VectorStore, view: CanonicalView, capacity: int) -> None:
        """Reads what changed in either store, page by page, until nothing is left."""
        while not self.too_large:
            known = await vectors.version(self.agent)  # before rows are read: what comes later is read again
            version = await memories.version(self.agent)
            if version is None:
                raise UntoldError
            if version != self._memories:
                ids = await self._changed_memories(memories, known)
            elif known is None:
                ids = sorted(self._bare)[:UNVERSIONED]
            elif known != self._vectors:
                ids = await self._changed_vectors(vectors)
            else:
                return
            await self._read(ids, memories, vectors, view)
            if self.nbytes > capacity:
                self._forget()
                self.too_large = True
            if known is None and version == self._memories:
                return

    async def _changed_memories(self, memories: MemoryStore, known: Version | None) -> list[bytes]:
        page = await memories.changes(self.agent, self._memories, PAGE)
        if page is None:
            raise UntoldError
        if page.start_over:
            self._forget()
            self._vectors = known
            metrics.INDEX_BUILDS.inc()
        self._memories = page.version
        return page.ids

    async def _changed_vectors(self, vectors: VectorStore) -> list[bytes]:
        page = await vectors.changes(self.agent, self._vectors, PAGE)
        if page is None:
            raise UntoldError
        if page.start_over and self._vectors is not None and self._vectors.sequence > 0:
            self._forget()  # vectors may have gone untold: all rows are read again
            return []
        self._vectors = page.version
        return page.ids

    async def _read(self, ids: Sequence[bytes], memories: MemoryStore, vectors: VectorStore, view: CanonicalView) -> None:
        if not ids:
            return
        rows = await memories.get(self.agent, ids)
        found = await vectors.find([(self.agent, memory_id) for memory_id in ids])
        metrics.INDEX_ROWS.inc(len(ids))
        self._fresh |= dict.fromkeys(ids)
        live = [row is not None and row.memory is not None and view.live(row.presence) for row in rows]
        for memory_id, row in zip(ids, rows, strict=True):
            if row is None or row.memory is None:
                self._open.pop(memory_id, None)
            else:
                self._open[memory_id] = row.presence
        if len(ids) > UNVERSIONED:
            await asyncio.to_thread(self._put, ids, rows, found, live)
        else:
            self._put(ids, rows, found, live)

    def _put(
        self,
        ids: Iterable[bytes],
        rows: Iterable[StoredMemory | None],
        found: Iterable[VectorRow | None],
        live: Iterable[bool],
    ) -> None:
        for memory_id, row, vector, lives in zip(ids, rows, found, live, strict=True):
            memory = row.memory if lives and row is not None else None
            taken = memory if memory is not None and self._takes(memory) else None
            document, links = (document_of(taken), links_of(taken)) if taken is not None else (None, ())
            self._bare.discard(memory_id)
            if document is None:
                self.index.remove(memory_id)
                self.index.link(memory_id, links)
                if lives and not links:
                    self._open.pop(memory_id, None)  # it has no text and no links, or not the tags, whatever the chain does
                continue
            self.index.put(document, None if vector is None else vector.vector)
            self.index.link(memory_id, links)
            if vector is None:
                self._bare.add(memory_id)

    def _takes(self, memory: Memory) -> bool:
        """Whether it is in this index: what lies in an open session is in none that outlives its question."""
        return not in_zone(memory) and (self._tags is None or not self._tags.isdisjoint(memory["tags"]))

    def _flipped(self, view: CanonicalView) -> list[bytes]:
        """Open rows of which the index says something else than the view."""
        rows = self._open if self._stood != view.sequence else self._fresh
        return [i for i in rows if i in self._open and view.live(self._open[i]) != self.index.holds(i)]

    def _settle(self, view: CanonicalView) -> None:
        """Takes rows whose facts are all of no block, or of the chain below the floor, off the list of open ones."""
        floor = view.floor or 0
        rows = list(self._open) if floor > self._settled_below else [i for i in self._fresh if i in self._open]
        for memory_id in rows:
            presence = self._open[memory_id]
            if all(
                fact.block_number < floor and view.canonical(fact.block_hash) for fact in presence.upserts | presence.deletes
            ):
                del self._open[memory_id]
        self._settled_below = max(self._settled_below, floor)
        self._stood, self._fresh = view.sequence, {}
