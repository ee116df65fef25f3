"""Probes of stores, for whichever process holds one: each asks the real store for something that nobody can own.

They lie apart from the gateway's, since a metric is registered where it is measured: a worker that asks its store must not show
what only a gateway measures, at 0.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np

from streams.errors import MonmouthError
from streams.ports.stores import MemoryStore, VectorStore

Probe = Callable[[], Awaitable[str]]
"""Raises if the part does not work; returns "" if it is well, or a complaint if it works but not as it should."""
NOBODY = bytes(20)
NOTHING = bytes(32)


def memory_store_probe(store: MemoryStore) -> Probe:
    """Reads a row that nobody can own."""

    async def probe() -> str:
        rows = await store.get(NOBODY, [NOTHING])
        if len(rows) != 1:
            raise MonmouthError(f"asked for one row, got {len(rows)}")
        return ""

    return probe


def vector_store_probe(index: VectorStore, dimension: int) -> Probe:
    """Searches among the vectors of nobody."""

    async def probe() -> str:
        vector = np.zeros(dimension, np.float32)
        vector[0] = 1.0
        hits = await index.search(NOBODY, vector, 1)
        return "" if not hits else "the zero address has vectors"

    return probe
