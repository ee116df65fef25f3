"""What the gateway and its stores hold under each agent's name, once the run is over: nothing of anybody else.

Looks behind the application, into what is kept between requests, where a mix-up would wait for the next question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from prometheus_client import generate_latest

from streams.core.presence import everything
from streams.metrics import REGISTRY
from streams.ports.stores import MemoryFilter
from tests.unit.serving.world import World

MANY = 100_000


class Scan(Protocol):
    """Holds a text against who may see it; None: nobody."""

    def __call__(self, where: str, text: str, owner: int | None) -> None: ...


async def scan_holdings(world: World, numbers: Mapping[bytes, int], scan: Scan) -> None:
    """Scans everything. ``numbers``: of the agents."""
    _cache(world, numbers, scan)
    await _indexes(world, numbers, scan)
    await _stores(world, numbers, scan)
    scan("metrics", generate_latest(REGISTRY).decode(), None)


def _cache(world: World, numbers: Mapping[bytes, int], scan: Scan) -> None:
    cache = world.cached.cache
    assert cache is not None
    for digest, entry in cache._entries.items():
        owner = numbers[entry.question.agent]
        scan("cache", cache._unpack.decompress(entry.packed).decode(), owner)
        scan("cache, ready", cache._ready.get(digest, b"").decode(), owner)


async def _indexes(world: World, numbers: Mapping[bytes, int], scan: Scan) -> None:
    for (agent, tags), kept in list(world.indexes._kept.items()):
        ids = list(kept.index._slots)
        rows = await world.memories.get(agent, ids)
        for row in rows:
            if row is None or row.memory is None:
                scan(f"index {tags}", _stray(numbers[agent]), None)
            else:
                scan(f"index {tags}", row.memory["content"].decode(), numbers[agent])


async def _stores(world: World, numbers: Mapping[bytes, int], scan: Scan) -> None:
    vector = np.eye(1, world.embedder.dimension, dtype=np.float32)[0]
    for agent, number in numbers.items():
        held = await world.memories.query(agent, MemoryFilter(limit=MANY), everything)
        for memory in held:
            scan("memories", memory["content"].decode(), number)
        own = {memory["id"] for memory in held}
        for hit in await world.index.search(agent, vector, MANY):
            if hit.agent != agent:
                scan("vectors: of another agent", _stray(number), None)
            elif hit.memory_id not in own:
                scan("vectors: of no live memory", _stray(number), None)


def _stray(number: int) -> str:
    """A canary for what has none: a row that is not the agent's."""
    return f"canary-{number}-own-{'0' * 16}"
