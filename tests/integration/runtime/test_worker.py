"""The worker on a real broker: reorgs, rebalances, restarts, bad input."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.codec import codec
from streams import topics
from streams.errors import ConfigurationError, LogIntegrityError, PositionLostError
from streams.runtime.kafka import KafkaClient
from streams.runtime.kafka.consumer import KafkaConsumer
from streams.runtime.worker import run_worker
from streams.settings import KafkaSettings, Settings
from streams.signing import Verifier, load_or_create_signer
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.conftest import ROOT
from tests.integration.runtime.kafkalog import ChainWriter, check_tally, has_output, read_all, wait_for
from tests.samples import SAMPLES
from tests.toys import Copy, Tally, factory, live_output

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def worker(settings: Settings, *agents: type) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    factories = [factory(agent) for agent in agents or (Tally,)]
    task = asyncio.create_task(run_worker(settings, factories, VERIFIER, SIGNER, stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


def grown(blocks: int) -> ChainLog:
    chain = ChainLog()
    for n in range(blocks):
        chain.add(range(n % 7))
    return chain


async def test_chain_with_reorgs(kafka_settings: Settings) -> None:
    chain = grown(12)
    async with ChainWriter(kafka_settings) as writer, worker(kafka_settings) as task:
        await writer.publish(chain)
        await wait_for(lambda: has_output(kafka_settings, chain), task)
        chain.undo(5)
        chain.add([1, 2, 3, 1], fork="b")
        chain.undo(1)
        chain.add([9], fork="c")
        chain.finalize(6)
        await writer.publish(chain)
        await wait_for(lambda: has_output(kafka_settings, chain), task)
    await check_tally(kafka_settings, chain)


async def test_restart_continues(kafka_settings: Settings) -> None:
    chain = grown(5)
    async with ChainWriter(kafka_settings) as writer:
        for turn in range(3):
            await writer.publish(chain)
            async with worker(kafka_settings) as task:
                await wait_for(lambda: has_output(kafka_settings, chain), task)
            chain.undo(turn + 1)
            chain.add([turn, 4], fork=turn)
        await writer.publish(chain)
        async with worker(kafka_settings) as task:
            await wait_for(lambda: has_output(kafka_settings, chain), task)
    await check_tally(kafka_settings, chain)


class KeptClient(KafkaClient):
    """Keeps the consumers it makes."""

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings)
        self.consumers: list[KafkaConsumer] = []

    def consumer(self, group: str, names: Sequence[str]) -> KafkaConsumer:
        self.consumers.append(super().consumer(group, names))
        return self.consumers[-1]


async def test_a_group_whose_upkeep_the_client_cancelled_is_joined_again(kafka_settings: Settings) -> None:
    """The client cancels tasks of its own in a rebalance; one that had just begun takes the upkeep of the group with it."""
    chain, stop, client = grown(3), asyncio.Event(), KeptClient(kafka_settings.kafka)
    running = asyncio.create_task(run_worker(kafka_settings, [factory(Tally)], VERIFIER, SIGNER, stop, client=client))
    try:
        async with ChainWriter(kafka_settings) as writer:
            await writer.publish(chain)
            await wait_for(lambda: has_output(kafka_settings, chain), running)
            client.consumers[0]._consumer._coordinator._coordination_task.cancel()

            async def joined_again() -> bool:
                return len(client.consumers) == 2

            await wait_for(joined_again, running)
            chain.add([1, 2, 3])
            await writer.publish(chain)
            await wait_for(lambda: has_output(kafka_settings, chain), running)
    finally:
        stop.set()
        await asyncio.wait_for(running, 30)
    await check_tally(kafka_settings, chain)


async def test_garbage_commands_go_to_the_dead_letters(kafka_settings: Settings) -> None:
    chain = grown(3)
    good = codec().encode("MemoryCommand", SAMPLES["MemoryCommand"])
    async with ChainWriter(kafka_settings) as writer, worker(kafka_settings) as task:
        await writer.publish(chain)
        await writer.raw(topics.COMMANDS, 0, b"k", b"garbage")
        await writer.raw(topics.COMMANDS, 0, b"k", good)
        await writer.raw(topics.COMMANDS, 0, b"k", b"\0\0\0\x27\x0f unknown schema")

        async def lettered() -> bool:
            return len(await read_all(kafka_settings, topics.DLQ, 0)) == 2

        await wait_for(lettered, task)
        await wait_for(lambda: has_output(kafka_settings, chain), task)
    await check_tally(kafka_settings, chain)


async def test_forged_record_stops_the_worker(kafka_settings: Settings) -> None:
    chain = grown(3)
    async with ChainWriter(kafka_settings) as writer:
        await writer.publish(chain)
        with pytest.raises(LogIntegrityError, match=r"chain\.transactions/0.* block 4/"):
            async with worker(kafka_settings) as task:
                await wait_for(lambda: has_output(kafka_settings, chain), task)
                await writer.raw(topics.TRANSACTIONS, 0, b"k", b"written by a stranger")
                chain.add(range(8))
                await writer.publish(chain)
                await asyncio.wait_for(asyncio.shield(task), 20)
    del chain.blocks[-1]
    del chain.steps[-1]


@pytest.mark.slow
async def test_forced_rebalances_lose_and_double_nothing(kafka_settings: Settings) -> None:
    chain = ChainLog()
    async with ChainWriter(kafka_settings) as writer, worker(kafka_settings, Tally) as first:
        enough = asyncio.Event()

        async def feed() -> int:
            n = 0
            while not enough.is_set():
                chain.add([i % 40 for i in range(n, n + 20)], fork=n)
                if n % 30 == 29:
                    chain.undo(n % 11 + 1)
                await writer.publish(chain)
                await asyncio.sleep(0.01)
                n += 1
            return 20 * n

        feeding = asyncio.create_task(feed())
        for _ in range(6):
            async with worker(kafka_settings, Tally) as second:
                await asyncio.sleep(0.9)
                assert not second.done()
            await asyncio.sleep(0.4)
        enough.set()
        assert await feeding > 1_000
        await wait_for(lambda: has_output(kafka_settings, chain), first, seconds=60)
    await check_tally(kafka_settings, chain)


async def test_two_agents_in_one_process(kafka_settings: Settings) -> None:
    class Echo(Copy):
        name = "echo"
        logs = (topics.MEMORY_LOG,)

        def apply(self, block, records):  # type: ignore[no-untyped-def]
            fact = SAMPLES["MemoryFact"]
            return [
                Emitted(topics.MEMORY_LOG, r.value["agent"], "MemoryFact", {**fact, "block": r.value["block"]}) for r in records
            ]

    from streams.agents.base import Emit as Emitted  # noqa: PLC0415

    chain = grown(6)
    chain.undo(2)
    async with ChainWriter(kafka_settings) as writer, worker(kafka_settings, Tally, Echo) as task:
        await writer.publish(chain)
        await wait_for(lambda: has_output(kafka_settings, chain), task)

        async def echoed() -> bool:
            pairs = [pair for p in range(2) for pair in await read_all(kafka_settings, topics.MEMORY_LOG, p)]
            return sum(key is None for key, _ in pairs) == 2 * chain.sequence

        await wait_for(echoed, task)
    await check_tally(kafka_settings, chain)


async def test_a_position_retention_took_away_is_named(kafka_settings: Settings) -> None:
    chain = grown(4)
    async with ChainWriter(kafka_settings) as writer:
        await writer.publish(chain)
        async with worker(kafka_settings) as task:
            await wait_for(lambda: has_output(kafka_settings, chain), task)
        for _ in range(5):
            chain.add([1, 2, 3, 4, 5, 6])
        await writer.publish(chain)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_settings.kafka.bootstrap)
    await admin.start()
    try:
        source = TopicPartition(kafka_settings.kafka.prefix + topics.TRANSACTIONS, 0)
        await admin.delete_records({source: RecordsToDelete(before_offset=30)})
    finally:
        await admin.close()
    with pytest.raises(PositionLostError, match=r"chain\.transactions: offsets \d+ to 29 are due"):
        async with worker(kafka_settings) as task:
            await asyncio.wait_for(asyncio.shield(task), 30)


async def test_missing_topics_are_named(broker: str, tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, kafka=KafkaSettings(bootstrap=broker, prefix="nowhere."))
    with pytest.raises(ConfigurationError, match=r"no topic nowhere\.chain\.transactions, nowhere\.memory\.commands"):
        await asyncio.wait_for(run_worker(settings, [factory(Tally)], VERIFIER, SIGNER, asyncio.Event()), 30)


async def test_the_worker_command_stops_gracefully(kafka_settings: Settings) -> None:
    """``monmouth worker`` as a process: works, hears SIGTERM, exits with 0, leaves whole blocks."""
    signer = load_or_create_signer(kafka_settings.path(kafka_settings.security.signing_key_file))
    chain = ChainLog(signer=signer)
    for n in range(8):
        chain.add(range(n % 7))
    environment = {
        **os.environ,
        "MONMOUTH_STATE_DIR": str(kafka_settings.state_dir),
        "MONMOUTH_KAFKA__BOOTSTRAP": kafka_settings.kafka.bootstrap,
        "MONMOUTH_KAFKA__PREFIX": kafka_settings.kafka.prefix,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams.cli", "worker", "--agents", "intent", cwd=ROOT, env=environment
    )
    try:
        async with ChainWriter(kafka_settings) as writer:
            await writer.publish(chain)
            await wait_for(lambda: has_output(kafka_settings, chain), seconds=60)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    for partition in range(2):
        pairs = await read_all(kafka_settings, topics.INTENTS, partition)
        output = live_output(pairs, topics.INTENTS, partition, Verifier([signer.public]))
        assert [(ref, len(records)) for ref, records in output] == [
            (ref, len(placed[partition])) for ref, placed in chain.blocks
        ]
