"""Connections on which nothing arrives any more, and nobody is told: both ends of the log give them up and connect anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.topics import apply
from streams.cli.producer import build
from streams.runtime.worker import run_worker
from streams.settings import KafkaSettings, Settings
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.chains import ScriptedSource, chain
from tests.chaos.brokers import Brokers, brokers
from tests.chaos.proxy import Network
from tests.integration.producer.logs import canonical, notifications
from tests.integration.runtime.kafkalog import ChainWriter, check_tally, has_output, wait_for
from tests.toys import Tally, factory

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.usefixtures("broker")]
PATIENCE = 25.0
"""Seconds; the client's own default would be forty, for one request alone."""


@pytest.fixture
async def cluster(tmp_path: Path, jars_dir: Path) -> AsyncIterator[Brokers]:
    async with brokers(tmp_path / "kafka", jars_dir, 1) as made:
        yield made


async def settings_of(cluster: Brokers, folder: Path, prefix: str) -> Settings:
    kafka = KafkaSettings(bootstrap=cluster.cluster.bootstrap, prefix=prefix, partitions=2, request_timeout_ms=2_000)
    await apply(kafka)
    settings = Settings(state_dir=folder, kafka=kafka)
    settings.chain.poll_interval = 0.05
    return settings


async def test_producer_and_worker_go_on(cluster: Brokers, tmp_path: Path) -> None:
    network = Network(cluster.proxies)
    await the_producer_goes_on(network, await settings_of(cluster, tmp_path / "producer", "p."))
    await the_worker_goes_on(network, await settings_of(cluster, tmp_path / "worker", "w."), cluster.cluster.internal)


async def the_producer_goes_on(network: Network, settings: Settings) -> None:
    source = ScriptedSource(chain(3))
    producer = await build(settings, source)
    running = asyncio.create_task(producer.run())

    async def caught_up() -> None:
        async with asyncio.timeout(PATIENCE):
            while producer.progress.view.tip != source.head_ref:
                assert not running.done()
                await asyncio.sleep(0.02)

    try:
        await caught_up()
        network.forget()
        source.grow(2)
        await caught_up()
    finally:
        producer.stop()
        await asyncio.wait_for(running, 60)
    records = await notifications(settings)
    assert canonical(records) == [block.ref.hash for block in source.canonical_blocks]
    assert [record["sequence"] for record in records] == list(range(len(records)))


async def the_worker_goes_on(network: Network, settings: Settings, internal: str) -> None:
    log, stop = ChainLog(), asyncio.Event()
    direct = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"bootstrap": internal})})
    running = asyncio.create_task(run_worker(settings, [factory(Tally)], VERIFIER, SIGNER, stop))
    try:
        async with ChainWriter(direct) as writer:
            for number in range(3):
                log.add(range(number + 1))
            await writer.publish(log)
            await wait_for(lambda: has_output(direct, log), running)
            network.forget()
            log.add([1, 2, 3])
            await writer.publish(log)
            async with asyncio.timeout(PATIENCE):
                await wait_for(lambda: has_output(direct, log), running)
    finally:
        stop.set()
        await asyncio.wait_for(running, 60)
    await check_tally(direct, log)
