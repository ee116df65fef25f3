"""What a standby may do to stores: nothing to shared ones, and embedded ones only in its own state folder."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest

from connectors.stores import (
    LmdbMemoryStore,
    LmdbVectorStore,
    ReadOnlyMemoryStore,
    ReadOnlyVectorStore,
    check_own_stores,
    memories_are_shared,
    vectors_are_shared,
)
from streams.cli.wiring import agent_factories
from streams.core.presence import everything
from streams.errors import ConfigurationError
from streams.ports.stores import Concern, MemoryFilter, VectorRow
from streams.settings import Settings
from tests.fakes import MemoryState
from tests.unit.stores.facts import ALICE, h, upsert


async def test_reads_of_memories_pass_and_writes_do_not(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path / "m", map_size=1 << 24)
    await store.apply([upsert(1)])
    seen = await ReadOnlyMemoryStore(store).claim(b"lane")
    await seen.apply([upsert(2)])
    await seen.revert([upsert(1)])
    assert [row is not None for row in await seen.get(ALICE, [h(1), h(2)])] == [True, False]
    assert await seen.live_ids(ALICE, everything) == [h(1)] and [agent async for agent in seen.agents()] == [ALICE]
    assert [m["id"] for m in await seen.query(ALICE, MemoryFilter(), everything)] == [h(1)]
    assert await seen.concerning(ALICE, [Concern(h(1))], lambda _: True) == []
    assert (await seen.version(ALICE), await seen.footing(ALICE, 0, 0)) == (
        await store.version(ALICE),
        await store.footing(ALICE, 0, 0),
    )
    assert await seen.changes(ALICE, None, 9) == await store.changes(ALICE, None, 9) and seen.identity == store.identity
    await seen.close()
    assert await store.live_ids(ALICE, everything) == [h(1)]
    await store.close()


async def test_reads_pass_and_writes_do_not(tmp_path: Path) -> None:
    store = LmdbVectorStore(tmp_path / "v", map_size=1 << 24)
    vector = np.zeros(384, np.float32)
    vector[0] = 1.0
    row, other = VectorRow(b"a" * 20, b"1" * 32, vector), VectorRow(b"a" * 20, b"2" * 32, vector)
    await store.upsert([row])
    seen = ReadOnlyVectorStore(store)
    await seen.upsert([other])
    await seen.delete([(row.agent, row.memory_id)])
    found = await seen.find([(row.agent, row.memory_id), (other.agent, other.memory_id)])
    assert [held is not None for held in found] == [True, False]
    assert await seen.get(row.agent, row.memory_id) is not None
    assert [hit.memory_id for hit in await seen.search(row.agent, vector, 5)] == [row.memory_id]
    assert await seen.claim(b"lane") is seen
    await seen.close()
    assert await store.get(row.agent, row.memory_id) is not None
    await store.close()


def test_embedded_stores_of_a_standby_are_its_own(tmp_path: Path) -> None:
    check_own_stores(Settings(state_dir=tmp_path))
    check_own_stores(Settings(state_dir=tmp_path, rag={"vector_store_url": "http://milvus:19530"}))
    check_own_stores(Settings(state_dir=tmp_path, rag={"vector_store_url": str(tmp_path / "lite.db")}))
    check_own_stores(Settings(state_dir=tmp_path / "a", memory={"db_path": "../m"}, cassandra={"contact_points": ["db"]}))
    for wrong in (
        Settings(state_dir=tmp_path / "a", memory={"db_path": tmp_path / "memories"}),
        Settings(state_dir=tmp_path / "a", memory={"db_path": "../memories"}),
        Settings(state_dir=tmp_path / "a", rag={"vector_store_url": str(tmp_path / "lite.db")}),
    ):
        with pytest.raises(ConfigurationError, match="needs stores of its own"):
            check_own_stores(wrong)


def test_a_server_is_shared_and_a_file_is_not(tmp_path: Path) -> None:
    assert memories_are_shared(Settings(state_dir=tmp_path, cassandra={"contact_points": ["db"]}))
    assert not memories_are_shared(Settings(state_dir=tmp_path))
    assert vectors_are_shared(Settings(state_dir=tmp_path, rag={"vector_store_url": "http://milvus:19530"}))
    assert not vectors_are_shared(Settings(state_dir=tmp_path, rag={"vector_store_url": "vectors.db"}))
    assert not vectors_are_shared(Settings(state_dir=tmp_path))


async def test_a_worker_with_standbys_is_refused_a_store_elsewhere(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "a", memory={"db_path": tmp_path / "memories"}, worker={"standby": True})
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigurationError, match="--standby"):
            agent_factories(settings, ["memory"], stack)
        settings.worker.standby = False
        (factory,) = agent_factories(settings, ["memory"], stack)
        assert factory.follow is None


async def test_a_standby_beside_a_shared_store_of_memories_writes_nothing_there(tmp_path: Path) -> None:
    said = {"contact_points": ["127.0.0.1"], "port": 1}
    settings = Settings(state_dir=tmp_path / "a", memory={"db_path": tmp_path / "m"}, cassandra=said, worker={"standby": True})
    async with AsyncExitStack() as stack:
        (factory,) = agent_factories(settings, ["memory"], stack)
        assert factory.follow is not None
        follower = factory.follow(0, MemoryState())
        follower._pending = [(True, upsert(1))]  # type: ignore[attr-defined]
        await follower.flush()  # nobody listens there, and nobody is asked
