"""The broker is killed under a running producer, lacks topics, or takes less than the settings say."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from infra.broker import LocalBroker
from infra.broker.ports import free_port
from infra.topics import apply
from streams.cli.producer import build
from streams.errors import ConfigurationError
from streams.producer.kafka_log import KafkaLog
from streams.producer.records import Stager
from streams.settings import KafkaSettings, Settings
from streams.signing import Signer, Verifier
from streams.topics import TRANSACTIONS, physical
from tests.chains import CHAIN_ID, ScriptedSource, chain, child, transaction
from tests.integration.producer.logs import canonical, check_partition, notifications, read

pytestmark = pytest.mark.kafka


@pytest.mark.slow
async def test_a_broker_that_stays_away_does_not_hold_up_the_end(
    broker: str, jars_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.producer.kafka_log.GRACE", 1.0)
    own = LocalBroker(tmp_path / "broker", port=free_port(), jars=jars_dir, record_startup=False)
    await asyncio.to_thread(own.start)
    try:
        kafka = KafkaSettings(bootstrap=own.bootstrap, prefix="gone.", partitions=1, transaction_timeout_ms=1_000)
        await apply(kafka)
        settings = Settings(state_dir=tmp_path / "state", kafka=kafka)
        settings.chain.poll_interval = 0.05
        source = ScriptedSource(chain(3))
        producer = await build(settings, source)
        running = asyncio.create_task(producer.run())
        async with asyncio.timeout(60):
            while producer.progress.view.tip is None:
                await asyncio.sleep(0.05)
    finally:
        pid = own.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    source.grow(2)
    await asyncio.sleep(1)
    producer.stop()
    async with asyncio.timeout(40):
        await running


@pytest.mark.slow
async def test_a_killed_broker_delays_and_loses_nothing(broker: str, jars_dir: Path, tmp_path: Path) -> None:
    own = LocalBroker(tmp_path / "broker", port=free_port(), jars=jars_dir, record_startup=False)
    await asyncio.to_thread(own.start)
    try:
        kafka = KafkaSettings(bootstrap=own.bootstrap, prefix="loss.", partitions=2)
        await apply(kafka)
        settings = Settings(state_dir=tmp_path / "state", kafka=kafka)
        settings.chain.poll_interval = 0.05
        source = ScriptedSource(chain(3))
        producer = await build(settings, source)
        running = asyncio.create_task(producer.run())
        async with asyncio.timeout(60):
            while producer.progress.view.tip is None:
                await asyncio.sleep(0.05)
        pid = own.pid
        assert pid is not None
        for step in range(40):
            source.grow(1)
            if step % 5 == 4:
                source.reorg(2, 3)
            if step == 15:
                os.kill(pid, signal.SIGKILL)
                async with asyncio.timeout(30):
                    while own.pid is not None:
                        await asyncio.sleep(0.05)
                await asyncio.to_thread(own.start)
            await asyncio.sleep(0.02)
        async with asyncio.timeout(90):
            while producer.progress.view.tip != source.head_ref:
                assert not running.done()
                await asyncio.sleep(0.05)
        producer.stop()
        await running
        records = await notifications(settings)
        assert canonical(records) == [block.ref.hash for block in source.canonical_blocks]
        assert [record["sequence"] for record in records] == list(range(len(records)))
        for number, part in (await read(settings, TRANSACTIONS)).items():
            check_partition(settings, CHAIN_ID, number, part)
    finally:
        await asyncio.to_thread(own.stop)


async def test_missing_topics_say_what_to_do(kafka_settings: Settings) -> None:
    kafka_settings.kafka.prefix = "nowhere."
    log = KafkaLog(kafka_settings, CHAIN_ID, Verifier([]))
    with pytest.raises(ConfigurationError, match="monmouth topics apply"):
        await asyncio.wait_for(log.open(), 20)
    await log.close()


async def test_other_partition_counts_are_refused(kafka_settings: Settings) -> None:
    kafka_settings.kafka.partitions = 5
    log = KafkaLog(kafka_settings, CHAIN_ID, Verifier([]))
    with pytest.raises(ConfigurationError, match="has 2 partitions, 5 are set"):
        await log.open()
    await log.close()


async def test_a_topic_that_takes_less_than_it_should_stops_the_producer(kafka_settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_settings.kafka.bootstrap)
    await admin.start()
    topic = physical(kafka_settings.kafka.prefix, TRANSACTIONS)
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "20000"})])
    await admin.close()
    await asyncio.sleep(0.5)
    signer = Signer(bytes(32))
    stager = Stager(CHAIN_ID, 2, signer)
    log = KafkaLog(kafka_settings, CHAIN_ID, Verifier([signer.public]))
    block = child(None)
    block.transactions[0] = transaction(0, 0)
    block.transactions[0]["input"] = random.Random(1).randbytes(200_000)
    try:
        await log.open()
        with pytest.raises(ConfigurationError, match="refused a record as too large"):
            await log.append([stager.new(block, 0, None)])
        assert (await log.open()).sequence == 0
    finally:
        await log.close()
