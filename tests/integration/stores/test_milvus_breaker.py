"""The circuit to a real Milvus server, behind a proxy that cuts it off: opens, refuses at once, lets trials through, closes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from connectors.stores.milvus import MilvusVectorStore, client
from connectors.stores.milvus import store as module
from infra.milvus import LocalMilvus
from streams.errors import StoreError
from streams.policy import StoreOpenError
from tests.chaos.proxy import Proxy
from tests.unit.stores.facts import ALICE, h
from tests.unit.stores.test_vector_contract import row, unit

pytestmark = pytest.mark.milvus
COLLECTION = "t_breaker"
OPEN_SECONDS = 0.5
READ_SECONDS = 0.3


@pytest.fixture
async def proxy(milvus: LocalMilvus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    monkeypatch.setattr(module, "TERMS", replace(module.TERMS, open_seconds=OPEN_SECONDS))
    async with Proxy(int(milvus.url.rpartition(":")[2])) as made:
        yield made


def state(proxy: Proxy) -> float | None:
    return REGISTRY.get_sample_value("monmouth_circuit_breaker_state", {"name": f"milvus http://127.0.0.1:{proxy.port}"})


async def read(store: MilvusVectorStore) -> set[bytes]:
    return {hit.memory_id for hit in await store.search(ALICE, unit(1)[0], 50)}


async def opened(store: MilvusVectorStore, proxy: Proxy) -> None:
    """Five calls fail, and then nothing is asked any more."""
    for _ in range(module.TERMS.failures):
        assert state(proxy) == 0
        with pytest.raises(StoreError) as caught:
            await read(store)
        assert not isinstance(caught.value, StoreOpenError)
    assert state(proxy) == 1
    began = time.monotonic()
    with pytest.raises(StoreOpenError) as refused:
        await read(store)
    assert 0 < refused.value.retry_after <= OPEN_SECONDS
    with pytest.raises(StoreOpenError):  # writes take the same circuit
        await store.upsert([row(7)])
    assert time.monotonic() - began < READ_SECONDS / 2


async def closed(store: MilvusVectorStore, proxy: Proxy) -> None:
    """Trials that fail open it again; three in a row that succeed close it."""
    async with asyncio.timeout(30):
        passed = 0
        while state(proxy) != 0:
            try:
                await read(store)
                passed += 1
            except StoreError:
                passed = 0
                await asyncio.sleep(0.1)
    assert passed == module.TERMS.successes


async def test_opens_refuses_at_once_and_closes_when_the_server_is_back(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await asyncio.to_thread(MilvusVectorStore, f"http://127.0.0.1:{proxy.port}", COLLECTION)
    try:
        await store.upsert([row(1)])
        assert await read(store) == {h(1)}
        monkeypatch.setattr(module, "READ_TIMEOUT", READ_SECONDS)
        await proxy.refuse()
        await opened(store, proxy)
        await asyncio.sleep(OPEN_SECONDS)
        assert state(proxy) == 2
        with pytest.raises(StoreError):
            await read(store)
        assert state(proxy) == 1  # one trial that fails is enough
        monkeypatch.setattr(module, "READ_TIMEOUT", client.READ_TIMEOUT)
        await proxy.start()
        await closed(store, proxy)
        assert await read(store) == {h(1)}
        await store.upsert([row(2)])
        assert await read(store) == {h(1), h(2)}
    finally:
        await store.close()


async def test_a_server_that_is_away_at_the_start_is_found_when_it_comes(proxy: Proxy) -> None:
    await proxy.refuse()
    store = await asyncio.to_thread(lambda: MilvusVectorStore(f"http://127.0.0.1:{proxy.port}", COLLECTION, late=True))
    try:
        with pytest.raises(StoreError):
            await read(store)
        assert store.identity == b""
        await proxy.start()
        async with asyncio.timeout(30):
            while not store.identity:
                try:
                    await store.claim(b"lane of the late")
                except StoreError:
                    await asyncio.sleep(0.1)
        owner = await store.claim(b"lane of the late")
        await owner.upsert([row(3)])
        assert h(3) in await read(store)
    finally:
        await store.close()
