"""The stores' providers with the real clients: real servers answer, ports where nobody listens do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from connectors.stores import open_memory_store, open_vector_store
from connectors.stores.cassandra import CassandraMemoryStore
from infra.broker.ports import free_port
from streams.agents.memory import MemoryAgent
from streams.ops.health.looks import of_stores
from streams.ops.health.provider import ask
from streams.ops.health.providers.stores import Store
from streams.runtime.job import AgentFactory
from streams.settings import CassandraSettings, RagSettings, Settings
from streams.store_probes import memory_store_probe, vector_store_probe
from tests.milvus_fixtures import Open


@pytest.mark.cassandra
async def test_a_cassandra_that_answers_is_well(cassandra_settings: CassandraSettings) -> None:
    store = CassandraMemoryStore(cassandra_settings)
    try:
        assert (await ask(Store("cassandra", memory_store_probe(store)), 30)).status == "healthy"
    finally:
        await store.close()
    closed = await ask(Store("cassandra", memory_store_probe(store)), 30)
    assert (closed.status, closed.down) == ("failed", True)


async def test_no_cassandra_has_failed_and_its_component_is_named_after_it(tmp_path: Path) -> None:
    settings = Settings(
        state_dir=tmp_path, cassandra=CassandraSettings(contact_points=["127.0.0.1"], port=free_port(), timeout_seconds=2)
    )
    store = open_memory_store(settings)
    try:
        (provider,) = of_stores(settings, [AgentFactory(MemoryAgent, _never, probe=memory_store_probe(store))])
        found = await ask(provider, 20)
        assert (provider.name, found.status, found.down) == ("cassandra", "failed", True)
        assert found.detail
    finally:
        await store.close()


@pytest.mark.milvus
async def test_a_milvus_that_answers_is_well(milvus_collection: Open) -> None:
    store = milvus_collection()
    try:
        assert (await ask(Store("milvus", vector_store_probe(store, 384)), 30)).status == "healthy"
    finally:
        await store.close()


async def test_no_milvus_has_failed(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, rag=RagSettings(vector_store_url=f"http://127.0.0.1:{free_port()}"))
    found = await ask(Store("milvus", lambda: _searched(settings)), 20)
    assert (found.status, found.down) == ("failed", True)
    assert found.detail


async def _searched(settings: Settings) -> str:
    store = open_vector_store(settings)
    try:
        await store.search(bytes(20), np.zeros(384, np.float32), 1)
    finally:
        await store.close()
    return ""


def _never(*_: object) -> MemoryAgent:
    raise AssertionError("no instance is made")
