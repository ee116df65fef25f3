"""Garbage, unknown schemas and records of the wrong kind, on every topic: set aside where a record stands alone, and an error
that names the block and the partition where markers speak for it. Never a crash, never a silent loss.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from connectors.stores import open_memory_store, open_vector_store
from schemas.codec import codec
from streams import topics
from streams.errors import LogIntegrityError, OutdatedError
from streams.identity.commands import sign_as_gateway
from streams.producer.kafka_log import KEEP
from streams.runtime.metrics import GARBAGE as OWN_GARBAGE
from streams.serving.calls import Call
from streams.serving.client import AsyncClient, GatewayError
from streams.serving.commands import store_command
from streams.serving.metrics import GARBAGE as SKIPPED
from streams.serving.server import Gateway, Stores
from streams.serving.wire.graph import ProfileView
from streams.settings import Settings
from streams.signing import load_or_create_signer, load_verifier
from tests.e2e.expected import letters
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.pipeline import ALL, eventually, small, working
from tests.e2e.processes import run
from tests.e2e.stranger import bad_values, stranger
from tests.identity import command_log, gateway_signer, operator_token

pytestmark = pytest.mark.kafka
ALONE = (
    topics.COMMANDS,
    topics.EVICTIONS,
    topics.MEMORY_STATE,
    topics.EMBEDDINGS,
    topics.ROOTS,
    topics.EDGES,
    topics.REGISTRY,
    topics.ACCESS,
    topics.SESSIONS,
    topics.ERASURES,
    topics.CHECKPOINTS,
    topics.SCHEMAS,
    topics.REPLAYS,
    topics.MESSAGES,
    topics.BRIDGE,
    topics.DLQ,
    topics.BLOCKS,
    topics.OPS_METRICS,
    topics.OPS_HEALTH,
    topics.OPS_ALERTS,
    topics.OPS_WINDOWS,
    topics.OPS_SERIES,
    topics.OPS_SLO,
    topics.OPS_SLO_TABLE,
)
"""Topics in which a record that is none means nothing."""
TWO_MB = 2 * 1024 * 1024


async def test_where_records_stand_alone_garbage_is_set_aside_and_the_pipeline_goes_on(kafka_settings: Settings) -> None:
    settings = kafka_settings
    written = Counter[str]()
    async with small(settings) as pipeline, stranger(settings) as foe:
        await pipeline.agree()
        skipped = {topic: SKIPPED.labels(topic)._value.get() for topic in (topics.BLOCKS, topics.ROOTS, topics.EDGES)}
        for topic in ALONE:
            written[topic] = await foe.write(topic, bad_values(topic))
        pipeline.advance(4)
        await pipeline.agree()
        await eventually(lambda: set_aside(settings, written[topics.COMMANDS] + written[topics.EVICTIONS]), 20)
        answers = await asked_through_a_gateway(settings, pipeline.node.chain.agents[0])
        assert answers > 0
        for topic, before in skipped.items():
            assert SKIPPED.labels(topic)._value.get() - before == written[topic]
        observed = sum(written[topic] for topic in (topics.BLOCKS, topics.ROOTS, topics.CHECKPOINTS, topics.DLQ))
        assert pipeline.seen.garbage == observed
        spread = [topics.TOPICS[topic].partitions or settings.kafka.partitions for topic in ALONE]
        assert sum(written.values()) == 5 * sum(spread)
    async with small(settings, blocks=16) as pipeline:  # another start reads all of it again
        await pipeline.agree()


async def set_aside(settings: Settings, count: int) -> list[str]:
    """What is not yet, or not rightly, in the dead letters."""
    found = await letters(settings)
    right = Counter(letter["stream_agent"] for letter in found) == {"memory": count}
    kept = {letter["value"] for letter in found} == set(bad_values(topics.COMMANDS))
    return [] if right and kept else [f"{len(found)} dead letters, {count} are due"]


async def asked_through_a_gateway(settings: Settings, agent: bytes) -> int:
    """How many memories of ``agent`` a gateway that starts now finds."""
    settings.gateway.port = settings.gateway.metrics_port = 0
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    stores = Stores(open_memory_store(settings), open_vector_store(settings))
    gateway = Gateway(settings, stores, HashEmbedder(), verifier)
    await gateway.start()
    try:
        async with AsyncClient(gateway.url, token=operator_token(settings)) as client:
            name = "0x" + agent.hex()
            assert (await client.root(name)).count > 0
            assert (await client._send(Call("GET", f"/v1/graph/{name}/profile", ProfileView))).transactions > 0
            with pytest.raises(GatewayError) as refused:
                await client.store(name, "x" * TWO_MB)
            assert refused.value.status == 413
            return len((await client.retrieve(name)).items)
    finally:
        await gateway.stop()
        await stores.memories.close()
        await stores.vectors.close()


async def test_a_producer_that_starts_again_reads_past_garbage_in_its_own_topic(kafka_settings: Settings) -> None:
    """Also where there is more of it than it reads back, and none of its own records in between."""
    settings, names = kafka_settings, ("memory",)
    async with stranger(settings) as foe:
        await foe.write(topics.BLOCKS, bad_values(topics.BLOCKS))
        async with small(settings, names, blocks=5) as pipeline:
            await pipeline.agree()
        await foe.flood(topics.BLOCKS, 3 * KEEP)
        async with small(settings, names, blocks=8) as pipeline:  # the same chain, and more of it
            expected = await pipeline.agree()
    assert len(expected.blocks) == 9


async def test_a_command_of_two_megabytes_is_a_dead_letter_and_a_larger_one_is_refused(kafka_settings: Settings) -> None:
    settings = kafka_settings
    async with small(settings, ("memory", "lattice")) as pipeline, stranger(settings) as foe:
        agent = pipeline.node.chain.agents[0]
        huge = store_command(
            agent,
            bytes(16),
            b"x" * (TWO_MB - 4096),
            media_type="text/plain",
            kind="SEMANTIC",
            importance=0.5,
            tags=[],
            timestamp=1,
        )
        huge = sign_as_gateway(gateway_signer(settings), huge)
        await foe.write(topics.COMMANDS, [codec().encode("MemoryCommand", huge)], partition=0, key=agent)
        with pytest.raises(MessageSizeTooLargeError):
            await foe.write(topics.COMMANDS, [bytes(TWO_MB + 1)], partition=0)
        sound = {**huge, "id": b"\x01" * 16, "content": b"a note of the usual size", "signature": None}
        log = command_log(settings)
        await log.send(sound)  # type: ignore[arg-type]
        await log.stop()
        pipeline.advance(2)
        await pipeline.agree([sound])  # type: ignore[list-item]
        (letter,) = await letters(settings)
        assert letter["truncated"]
        assert (letter["error"], len(letter["value"])) == ("PoisonError", 65_536)
        assert letter["size"] > TWO_MB - 4096
        assert "are allowed" in letter["reason"]


@pytest.mark.parametrize("topic", [topics.TRANSACTIONS, topics.MEMORY_LOG])
@pytest.mark.parametrize("kind", [0, 1, 4], ids=["garbage", "unknown schema", "sound but foreign"])
async def test_where_markers_speak_a_stranger_stops_the_readers_and_the_block_is_named(
    kafka_settings: Settings, topic: str, kind: int
) -> None:
    """Nothing of the block is processed, and a restart does not get past it either."""
    settings = kafka_settings
    message = rf"{topic}/1@\d+: NEW marker of block [56]/[0-9a-f]{{8}}: \d+ records were read, the marker counts \d+"
    with pytest.raises(LogIntegrityError, match=message):
        async with small(settings, ("memory", "lattice")) as pipeline, stranger(settings) as foe:
            await pipeline.agree()
            await foe.write(topic, [bad_values(topic)[kind]], partition=1)
            pipeline.advance(2)
            await asyncio.wait_for(asyncio.wait(pipeline.tasks, return_when=asyncio.FIRST_COMPLETED), 30)
    if kind == 0:
        code, said = await asyncio.to_thread(run, settings, "worker", "--agents", "memory,lattice")
        assert code == 1
        assert f"error: {topic}/1@" in said
        assert "Nothing of this block was processed" in said
        assert "Traceback" not in said


async def test_a_stranger_in_place_of_a_checkpoint_costs_reading_and_nothing_else(kafka_settings: Settings) -> None:
    """Under the keys of the stream agents themselves: all is as it was after the next start, and goes on."""
    settings, names = kafka_settings, ("memory", "lattice")
    async with small(settings, names) as pipeline:
        await pipeline.agree()
    own = bad_values(topics.CHECKPOINTS)
    before = sum(OWN_GARBAGE.labels(name, topics.CHECKPOINTS)._value.get() for name in names)
    async with stranger(settings) as foe:
        for number in range(settings.kafka.partitions):
            for name in names:
                for slot, value in zip(("tip", "redo", "3", "hb0.0", "4"), own, strict=True):
                    await foe.write(topics.CHECKPOINTS, [value], number, f"{name}/{number}/{slot}".encode())
                for key in ("request", "status"):
                    await foe.write(topics.REPLAYS, own, number, f"{name}/{number}/{key}".encode())
    async with small(settings, names, blocks=16) as pipeline:
        await pipeline.agree()
    counted = sum(OWN_GARBAGE.labels(name, topics.CHECKPOINTS)._value.get() for name in names) - before
    assert counted >= 5 * len(names) * settings.kafka.partitions


async def test_a_checkpoint_of_a_newer_version_is_named(kafka_settings: Settings) -> None:
    """It cannot be told from a stranger's, and to pass it over might undo what that version did."""
    async with stranger(kafka_settings) as foe:
        newer = b"\0" + (codec().newest + 1).to_bytes(4, "big")
        await foe.write(topics.CHECKPOINTS, [newer], partition=0, key=b"memory/0/tip")
    with pytest.raises(OutdatedError, match="checkpoint tip"):
        async with working(kafka_settings, ("memory",), HashEmbedder()) as worker:
            await asyncio.wait_for(asyncio.wait([worker]), 30)


def test_every_topic_of_the_map_is_tried() -> None:
    """rag.intents and the topics of retries have no reader of ours yet."""
    unread = {topics.INTENTS, *(topic for topic in topics.TOPICS if topic.startswith("retry."))}
    assert {*ALONE, topics.TRANSACTIONS, topics.MEMORY_LOG, *unread} == topics.TOPICS.keys()
    assert ALL == ("intent", "memory", "embedding", "lattice", "graph")
