"""Query texts to vectors, off the event loop.

Invariant: one thread uses the model; at most ``waiting`` texts wait for it, and the caches are bounded.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from streams.core.canonical_text import canonical_text
from streams.ports.embedder import Embedder
from streams.serving.context.budget import cut
from streams.serving.faults import UnavailableError
from streams.serving.metrics import CACHE_HIT_RATE

K = TypeVar("K")
V = TypeVar("V")

VECTOR_CACHE = 1_024
TOKEN_CACHE = 16_384


class LruCache(Generic[K, V]):
    """Least recently used, bounded; its hit rate since the start is a metric."""

    def __init__(self, name: str, size: int) -> None:
        self._rows: OrderedDict[K, V] = OrderedDict()
        self._size = size
        self._hits = self._looks = 0
        CACHE_HIT_RATE.labels(name).set_function(lambda: self._hits / self._looks if self._looks else 0.0)

    def get(self, key: K) -> V | None:
        """The value, or None."""
        self._looks += 1
        if key not in self._rows:
            return None
        self._hits += 1
        self._rows.move_to_end(key)
        return self._rows[key]

    def put(self, key: K, value: V) -> None:
        """Sets it; the value used least recently leaves."""
        self._rows[key] = value
        self._rows.move_to_end(key)
        if len(self._rows) > self._size:
            self._rows.popitem(last=False)


class QueryVectors:
    """An Embedder for the event loop."""

    def __init__(self, embedder: Embedder, waiting: int = 64) -> None:
        self.embedder = embedder
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embed")
        self._waiting = waiting
        self._queued = 0
        self._vectors: LruCache[str, NDArray[np.float32]] = LruCache("query_vectors", VECTOR_CACHE)
        self._tokens: LruCache[bytes, int] = LruCache("memory_tokens", TOKEN_CACHE)

    async def vector(self, text: str) -> NDArray[np.float32]:
        """Of the canonical text, as memories have it: L2-normalised float32, shape (dimension,).

        Raises UnavailableError if too many texts wait.
        """
        text = canonical_text(text) or ""
        found = self._vectors.get(text)
        if found is None:
            found = await self.fresh(text)
            self._vectors.put(text, found)
        return found

    async def fresh(self, text: str) -> NDArray[np.float32]:
        """``vector`` without the cache."""
        rows = await self._run(lambda: self.embedder.embed([text]))
        vector: NDArray[np.float32] = rows[0]
        return vector

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of memories' texts. Counts are kept by digest of the text: an id would not do, as imports bring their own."""
        names = {text: blake3(text.encode("utf-8", "surrogatepass")).digest(16) for text in texts}
        counts = {text: self._tokens.get(name) for text, name in names.items()}
        missing = [text for text, count in counts.items() if count is None]
        if missing:
            fresh = await self._run(lambda: [self.embedder.count_tokens(text) for text in missing])
            for text, tokens in zip(missing, fresh, strict=True):
                self._tokens.put(names[text], tokens)
                counts[text] = tokens
        return [counts[text] or 0 for text in texts]

    async def measure(self, texts: Sequence[str]) -> list[int]:
        """Tokens of texts that are no memory's; nothing is kept."""
        return await self._run(lambda: [self.embedder.count_tokens(text) for text in texts]) if texts else []

    async def cut(self, text: str, limit: int) -> str:
        """A beginning of ``text`` of at most ``limit`` tokens."""
        return await self._run(lambda: cut(text, limit, self.embedder.count_tokens))

    def close(self) -> None:
        """Ends the thread after the text in hand."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], V]) -> V:
        if self._queued >= self._waiting:
            raise UnavailableError(f"{self._queued} queries wait for the embedding model already", "Ask again in a moment.")
        self._queued += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._queued -= 1
