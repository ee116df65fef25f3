"""/health of a gateway beside real worker processes: one is killed, and the answer turns within seconds, and back."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from streams.serving.client import AsyncClient
from streams.serving.server import Gateway, Stores
from streams.serving.wire import Health
from streams.settings import Settings
from streams.signing import load_or_create_signer, load_verifier
from tests.identity import operator_token
from tests.serving_fakes import FakeEmbedder

pytestmark = pytest.mark.kafka

WITHIN = 15.0
"""Seconds until the answer turns: reports count for five, and both sides share the machine with other tests."""


@contextmanager
def worker(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs the stream agent intent, which needs neither store nor model."""
    environment = {
        **os.environ,
        "MONMOUTH_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "MONMOUTH_KAFKA__PREFIX": settings.kafka.prefix,
        "MONMOUTH_KAFKA__PARTITIONS": str(settings.kafka.partitions),
        "MONMOUTH_STATE_DIR": str(settings.state_dir / "worker"),
        "MONMOUTH_HEALTH__PROVIDERS": '["disk", "store_folders"]',
    }
    command = [sys.executable, "-m", "streams.cli", "worker", "--agents", "intent"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=20)


@pytest.fixture
async def gateway(kafka_settings: Settings) -> AsyncIterator[Gateway]:
    settings = kafka_settings
    settings.gateway.port = settings.gateway.metrics_port = 0
    settings.health.providers = ["broker", "stores", "disk"]
    embedder = FakeEmbedder()
    stores = Stores(
        LmdbMemoryStore(settings.path(settings.memory.db_path)),
        LmdbVectorStore(settings.state_dir / "vectors", dimension=embedder.dimension),
    )
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    running = Gateway(settings, stores, embedder, verifier)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()
        await stores.memories.close()
        await stores.vectors.close()


async def until(client: AsyncClient, name: str, status: str) -> Health:
    """Until that component is so."""
    async with asyncio.timeout(WITHIN + 15 * (status == "healthy")):
        while True:
            found = await client.health()
            component = found.components.get(name)
            if component is not None and component.status == status:
                return found
            await asyncio.sleep(0.1)


async def test_a_worker_that_is_killed_turns_the_answer_and_another_turns_it_back(
    gateway: Gateway, kafka_settings: Settings
) -> None:
    async with AsyncClient(gateway.url, token=operator_token(kafka_settings)) as client:
        with worker(kafka_settings) as process:
            well = await until(client, "intent", "healthy")
            assert well.components["intent"].needs == ["broker", "disk", "producer", "store_folders"]
            assert not well.components["gateway"].affected
            looked = await until(client, "store_folders", "healthy")
            assert looked.components["disk"].status != "failed"
            process.kill()
            failed = await until(client, "intent", "failed")
        assert failed.status == "failed"
        assert failed.roots == ["intent", "chain_view"]  # the latter complains, since the log holds no block
        assert failed.components["intent"].message.startswith("nobody reports it; the last one fell silent ")
        with worker(kafka_settings):
            await until(client, "intent", "healthy")
