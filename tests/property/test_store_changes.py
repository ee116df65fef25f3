"""Applying changes as they come gives what reading everything gives, whatever is applied and reverted, for every agent."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from schemas.records import MemoryFact
from streams.ports.stores import MemoryStore, VectorRow, VectorStore, Version
from tests.property.test_memory_store_laws import AGENTS, facts
from tests.unit.stores.facts import h
from tests.unit.stores.follower import Follower
from tests.unit.stores.reference import DictMemoryStore, DictVectorStore
from tests.versions import blocks_of

IDS = [h(n) for n in range(5)]
memory_steps = st.lists(st.tuples(st.booleans(), st.lists(facts(), max_size=5), st.booleans()), max_size=12)
keys = st.tuples(st.sampled_from(AGENTS), st.sampled_from(IDS))
vector_steps = st.lists(
    st.tuples(st.booleans(), st.lists(st.tuples(keys, st.integers(0, 3)), max_size=5), st.booleans()), max_size=12
)


class Named:
    """Remembers which content each version named: one version never names two."""

    def __init__(self) -> None:
        self.content: dict[tuple[bytes, Version], object] = {}

    def check(self, agent: bytes, version: Version | None, content: object) -> None:
        assert version is not None
        assert self.content.setdefault((agent, version), content) == content


@pytest.fixture(autouse=True)
def _few_removed_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.stores.change_index.SPARE", 1)


async def follow_memories(store: MemoryStore, steps: Sequence[tuple[bool, list[MemoryFact], bool]]) -> None:
    followers = {agent: Follower(store, agent, partial(store.get, agent), limit=2) for agent in AGENTS}
    named = Named()
    for adding, batch, look in [*steps, (True, [], True)]:
        await (store.apply(batch) if adding else store.revert(batch))
        for agent, follower in followers.items():
            whole = {i: row for i, row in zip(IDS, await store.get(agent, IDS), strict=True) if row is not None}
            named.check(agent, await store.version(agent), whole)
            footing = await store.footing(agent, 0, 0)
            assert footing is not None and footing.blocks == blocks_of((row.presence for row in whole.values()), 0)
            if look:
                await follower.follow()
                assert follower.rows == whole and follower.version == await store.version(agent)


@given(memory_steps)
@settings(max_examples=60, deadline=None)
def test_memories(steps: list[tuple[bool, list[MemoryFact], bool]]) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = LmdbMemoryStore(Path(folder))
            await follow_memories(store, steps)
            await store.close()
        await follow_memories(DictMemoryStore(), steps)

    asyncio.run(run())


async def follow_vectors(store: VectorStore, steps: Sequence[tuple[bool, list[tuple[tuple[bytes, bytes], int]], bool]]) -> None:
    axes = np.eye(4, dtype=np.float32)

    async def read(agent: bytes, ids: Sequence[bytes]) -> list[int | None]:
        return [None if r is None else int(np.argmax(r.vector)) for r in await store.find([(agent, i) for i in ids])]

    followers = {agent: Follower(store, agent, partial(read, agent), limit=2) for agent in AGENTS}
    named = Named()
    for adding, batch, look in [*steps, (True, [], True)]:
        if adding:
            await store.upsert([VectorRow(*key, axes[axis]) for key, axis in batch])
        else:
            await store.delete([key for key, _ in batch])
        for agent, follower in followers.items():
            whole = {i: axis for i, axis in zip(IDS, await read(agent, IDS), strict=True) if axis is not None}
            named.check(agent, await store.version(agent), whole)
            if look:
                await follower.follow()
                assert follower.rows == whole and follower.version == await store.version(agent)
                assert {hit.memory_id for hit in await store.search(agent, axes[0], 9)} == set(whole)


@given(vector_steps)
@settings(max_examples=60, deadline=None)
def test_vectors(steps: list[tuple[bool, list[tuple[tuple[bytes, bytes], int]], bool]]) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = LmdbVectorStore(Path(folder), dimension=4)
            await follow_vectors(store, steps)
            await store.close()
        await follow_vectors(DictVectorStore(), steps)

    asyncio.run(run())
