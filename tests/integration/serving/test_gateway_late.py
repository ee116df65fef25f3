"""A gateway that starts while its Milvus server is away: it starts, is not ready and says why, and is ready when that comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from connectors.stores import open_memory_store, open_vector_store
from connectors.stores.milvus import store
from infra.milvus import LocalMilvus
from schemas.codec import codec
from streams.serving import server
from streams.serving.async_client import AsyncClient
from streams.serving.client_errors import GatewayError
from streams.serving.server import Gateway, Stores
from streams.settings import Settings
from streams.signing import load_or_create_signer, load_verifier
from tests.chaos.proxy import Proxy
from tests.e2e.fake_embedder import HashEmbedder
from tests.identity import operator_token
from tests.integration.serving.broker import log_writer
from tests.steps import block, notification, step_new
from tests.unit.serving.world import ALICE, upsert

pytestmark = [pytest.mark.kafka, pytest.mark.milvus]
GENESIS = block(0, 0, bytes(32))
COLLECTION = "t_breaker"
"""Making one takes seconds, so two modules share it."""
TEXT = "swapped 2 ETH for DAI"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.1)


async def test_it_starts_and_is_ready_when_the_server_comes(
    kafka_settings: Settings, milvus: LocalMilvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "TERMS", replace(store.TERMS, open_seconds=0.5))
    monkeypatch.setattr(server, "PROBE_EVERY", 0.2)
    settings = kafka_settings
    settings.gateway.port = settings.gateway.metrics_port = 0
    settings.rag.vector_collection = COLLECTION
    settings.health.timeout_seconds = 0.5  # for which nobody asks what is known to be away
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    async with AsyncExitStack() as stack, log_writer(settings.kafka) as writer:
        signed = signer.sign("BlockNotification", notification(step_new(0, GENESIS)))
        await writer.raw(codec().encode("BlockNotification", signed))
        proxy = await stack.enter_async_context(Proxy(int(milvus.url.rpartition(":")[2])))
        await proxy.refuse()
        settings.rag.vector_store_url = f"http://127.0.0.1:{proxy.port}"
        stores = Stores(open_memory_store(settings), await asyncio.to_thread(open_vector_store, settings, late=True))
        stack.push_async_callback(stores.memories.close)
        stack.push_async_callback(stores.vectors.close)
        await stores.memories.apply([upsert(ALICE, GENESIS, 0, TEXT)])
        verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
        gateway = Gateway(settings, stores, HashEmbedder(), verifier)
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        client = await stack.enter_async_context(AsyncClient(gateway.url, token=operator_token(settings), retries=0))
        await until(lambda: any(complaint.startswith("milvus: ") for complaint in gateway.health.ready()))
        assert not gateway.health.live() and gateway.health.startup()
        with pytest.raises(GatewayError):
            await client.query_context("0x" + ALICE.hex(), TEXT, min_similarity=-1)
        await proxy.start()
        await until(lambda: not gateway.health.ready())
        context = await client.query_context("0x" + ALICE.hex(), TEXT, min_similarity=-1)
        assert [item.text for item in context.items] == [TEXT]
