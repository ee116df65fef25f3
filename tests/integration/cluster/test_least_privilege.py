"""The whole pipeline where each may do what was granted and no more: SCRAM over TLS, and certificates, on a real broker."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from infra.acls import brokers
from infra.acls.grants import compare, grants
from infra.topics import apply
from schemas.codec import codec
from streams.cli.subjects import register_subjects
from streams.errors import ClusterAccessError
from streams.health import Health
from streams.ops.app.run import run_ops
from streams.ops.reporter import reporting
from streams.serving.client import AsyncClient
from streams.serving.client_errors import NotReadyError
from streams.serving.faults import UnavailableError
from streams.serving.messages.topic import MessageWriter
from streams.serving.server import Gateway, Stores
from streams.settings import GATEWAY, OPERATOR, PRODUCER, GatewaySettings, KafkaSettings, Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.topics import COMMANDS, INTENTS, MESSAGES, OPS_WINDOWS
from streams.upkeep.pipeline import stream_agents
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.pipeline import small, until
from tests.e2e.readback import read
from tests.identity import operator_token
from tests.secured_broker import SecuredBroker

pytestmark = pytest.mark.kafka

AGENT = "0x" + "a1" * 20


@pytest.mark.parametrize("way", ["login", "certified"])
async def test_a_whole_pipeline_runs_on_what_was_granted(secured: SecuredBroker, way: str, tmp_path: Path) -> None:
    prefix = f"{way}."
    kafka: KafkaSettings = getattr(secured, way)().model_copy(update={"prefix": prefix})
    admin = secured.admin.model_copy(update={"prefix": prefix})
    wanted = grants(kafka, stream_agents())
    await brokers.add(admin, wanted)
    assert not [entry for entry in compare(wanted, await brokers.held(kafka)) if entry.grant.name.startswith(prefix)]
    assert (await apply(kafka)).remaining == ()  # as the operator, like all that reads the results below

    settings = Settings(state_dir=tmp_path, kafka=kafka, gateway=GatewaySettings(port=0, metrics_port=0))
    assert (await register_subjects(settings)).own
    await writes_messages(kafka)
    embedder = HashEmbedder()
    async with small(settings, blocks=4) as pipeline:
        stores = Stores(LmdbMemoryStore(tmp_path / "memories"), LmdbVectorStore(tmp_path / "own", dimension=embedder.dimension))
        signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
        verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
        gateway = Gateway(settings, stores, embedder, verifier)
        await gateway.start()
        try:
            async with AsyncClient(gateway.url, token=operator_token(settings)) as client:
                await becomes_ready(client)
                await client.store(AGENT, "kept under lock", timestamp=1)
                written = [entry for part in (await read(kafka, COMMANDS)).values() for entry in part]
                pipeline.advance(2)
                expected = await pipeline.agree([codec().decode(entry.value)[1] for entry in written])
                assert expected.world.count
                assert (await client.root(AGENT)).count == 1
                await sees_groups(client)
        finally:
            await gateway.stop()
            await stores.memories.close()
            await stores.vectors.close()


async def test_operations_fold_on_what_was_granted(secured: SecuredBroker, tmp_path: Path) -> None:
    """Faust, too, comes as who it is, and makes no topics."""
    kafka = secured.login().model_copy(update={"prefix": "folding."})
    admin = secured.admin.model_copy(update={"prefix": "folding."})
    await brokers.add(admin, grants(kafka, stream_agents()))
    await apply(kafka)
    settings, stop, health = Settings(state_dir=tmp_path, kafka=kafka), asyncio.Event(), Health(60)
    running = asyncio.create_task(run_ops(settings, stop, health))
    async with reporting(settings, kafka.as_role("memory"), "worker", Health(60)):
        async with asyncio.timeout(60):
            while not [entry for part in (await read(kafka, OPS_WINDOWS)).values() for entry in part]:
                assert not running.done(), running
                await asyncio.sleep(0.3)
    assert health.startup() == ()
    stop.set()
    await running


async def writes_messages(kafka: KafkaSettings) -> None:
    """A component may answer in the topic of messages, and who only operates the pipeline may not."""
    for role in (GATEWAY, "memory", PRODUCER):
        component = MessageWriter(kafka.as_role(role))
        await component("somebody", b"an answer")
        await component.stop()
    operator = MessageWriter(kafka.as_role(OPERATOR))
    with pytest.raises(UnavailableError, match=f"deny WRITE of topic {kafka.prefix}{MESSAGES}"):
        await operator("somebody", b"an answer")
    await operator.stop()


async def sees_groups(client: AsyncClient) -> None:
    """A gateway may ask how far every stream agent is, and look whether records wait for it."""
    async with asyncio.timeout(30):
        while True:
            found = (await client.health()).components
            if found["broker"].status == "healthy" and "memory" in found and found["memory"].message == "0 records wait":
                return
            await asyncio.sleep(0.2)


async def becomes_ready(client: AsyncClient) -> None:
    """Every topic that it follows has been read to its end."""
    async with asyncio.timeout(30):
        while True:
            try:
                await client.ready()
                return
            except NotReadyError:
                await asyncio.sleep(0.2)


async def test_a_worker_ends_where_a_grant_is_missing(secured: SecuredBroker, tmp_path: Path) -> None:
    kafka = secured.login().model_copy(update={"prefix": "lacking."})
    admin = secured.admin.model_copy(update={"prefix": "lacking."})
    lacking = f"lacking.{INTENTS}"
    await apply(admin)
    given = [grant for grant in grants(kafka, stream_agents()) if (grant.name, grant.operation) != (lacking, "WRITE")]
    await brokers.add(admin, given)
    with pytest.raises(ClusterAccessError, match=f"deny WRITE of topic {lacking}"):
        async with asyncio.timeout(30), small(Settings(state_dir=tmp_path, kafka=kafka), ["intent"]) as pipeline:
            await until(lambda: False, *pipeline.tasks)
