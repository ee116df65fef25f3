"""A bounded cache of vectors in front of an embedder, by text.

XXH3-128 of the text finds an entry; the text itself decides, since XXH3 is no cryptographic hash: one agent's text must
never fetch the vector of a text built to collide with it. Entries leave least recently used first.
Invariant: what ``embed`` returns has the bits that the embedder alone would return, and at most ``capacity`` texts, of at most
MAX_TEXT characters each, are held.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from connectors.embedding.metrics import HITS, TEXTS
from streams.ports.embedder import Embedder

CAPACITY = 10_000
MAX_TEXT = 4_096
Floats = NDArray[np.float32]


class CachedEmbedder:
    """An Embedder that asks ``inner`` only for texts it has not seen lately. Safe for threads if ``inner`` is."""

    def __init__(self, inner: Embedder, capacity: int = CAPACITY) -> None:
        self.model = inner.model
        self.model_hash = inner.model_hash
        self.backend = inner.backend
        self.dimension = inner.dimension
        self._inner = inner
        self._capacity = capacity
        self._entries: OrderedDict[bytes, tuple[str, Floats]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def embed(self, texts: Sequence[str]) -> Floats:
        vectors = np.empty((len(texts), self.dimension), np.float32)
        missing: dict[str, list[int]] = {}
        for row, text in enumerate(texts):
            found = self._find(text)
            if found is None:
                missing.setdefault(text, []).append(row)
            else:
                vectors[row] = found
        TEXTS.inc(len(texts))
        HITS.inc(len(texts) - len(missing))
        if missing:
            for (text, rows), vector in zip(missing.items(), self._inner.embed(list(missing)), strict=True):
                vectors[rows] = vector
                self._keep(text, vector)
        return vectors

    def count_tokens(self, text: str) -> int:
        return self._inner.count_tokens(text)

    def _find(self, text: str) -> Floats | None:
        key = _key(text)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry[0] != text:
                return None
            self._entries.move_to_end(key)
            return entry[1]

    def _keep(self, text: str, vector: Floats) -> None:
        if len(text) > MAX_TEXT:
            return
        with self._lock:
            self._entries[_key(text)] = (text, vector.copy())
            self._entries.move_to_end(_key(text))
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)


def _key(text: str) -> bytes:
    return bytes(xxh3_128_digest(text.encode("utf-8", "surrogatepass")))
