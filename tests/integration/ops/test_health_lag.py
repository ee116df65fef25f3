"""How far consumer groups are, on a real broker: a worker that keeps up, one that is gone, a position set back, no broker."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.broker import LocalBroker
from infra.broker.ports import free_port
from infra.topics import apply
from streams.ops.health.finding import Finding
from streams.ops.health.provider import ask
from streams.ops.health.providers.broker import Broker, Groups
from streams.ports.log import LogError
from streams.runtime.worker import run_worker
from streams.settings import KafkaSettings, Settings
from tests.chainlog import SIGNER, VERIFIER
from tests.integration.runtime.kafkalog import ChainWriter, has_output, wait_for
from tests.integration.runtime.test_worker import grown
from tests.toys import Tally, factory

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_worker(settings, [factory(Tally)], VERIFIER, SIGNER, stop))
    try:
        yield task
    finally:
        stop.set()
        await task


async def first_look(groups: Groups) -> Mapping[str, Finding]:
    """A broker makes the topic of its groups when the first of them is asked for, and says meanwhile that it has none."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await groups.look()
            except LogError as error:
                assert "Coordinator" in error.message
                await asyncio.sleep(0.1)


async def until(groups: Groups, wanted: str, seconds: float = 30.0) -> Finding:
    """Looks ten times a second until the group's detail begins so, or holds it."""
    found: Mapping[str, Finding] = {}
    async with asyncio.timeout(seconds):
        while wanted not in (found.get("tally", Finding("healthy", "nothing")).detail):
            found = await groups.look()
            await asyncio.sleep(0.1)
    return found["tally"]


async def test_a_group_keeps_up_stops_and_comes_back(kafka_settings: Settings) -> None:
    settings, chain = kafka_settings, grown(5)
    groups = Groups(settings.kafka, {"tally": Tally.inputs, "idle": Tally.inputs, "nobody": Tally.inputs})
    assert await first_look(groups) == {}, "a group that never committed is not spoken of"
    async with ChainWriter(settings) as writer:
        async with working(settings) as task:
            await writer.publish(chain)
            await wait_for(lambda: has_output(settings, chain), task)
            caught_up = await until(groups, "0 records wait")  # though markers of transactions lie behind the last record
            assert caught_up.status == "healthy"
            await committed(settings, 0, 0, group="idle")
            for _ in range(12):  # a worker that has nothing to do commits nothing, and is well
                assert (await groups.look())["tally"] == caught_up
                await asyncio.sleep(0.05)
            assert set(await groups.look()) == {"tally", "idle"}
        for n in range(3):
            chain.add(range(n))
        await writer.publish(chain)
        stopped = await until(groups, "stopped")
        assert stopped.status == "failed"
        assert "chain.transactions/0 stopped, chain.transactions/1 stopped; " in stopped.detail
        async with working(settings) as task:
            await wait_for(lambda: has_output(settings, chain), task)
            assert (await until(groups, "0 records wait")).status == "healthy"
    await groups.close()


async def test_a_position_that_somebody_set_back_is_a_rewind_unless_the_checkpoint_names_it(kafka_settings: Settings) -> None:
    settings, chain = kafka_settings, grown(6)
    groups = Groups(settings.kafka, {"tally": Tally.inputs})
    informed = Groups(settings.kafka, {"tally": Tally.inputs}, told_ours)
    async with ChainWriter(settings) as writer, working(settings) as task:
        await writer.publish(chain)
        await wait_for(lambda: has_output(settings, chain), task)
        for one in (groups, informed):
            await until(one, "0 records wait")
    await committed(settings, 0, 1)
    assert (await until(groups, "chain.transactions/0 rewind")).status == "failed"
    assert "rewind" not in (await informed.look())["tally"].detail
    await groups.close()
    await informed.close()


async def told_ours(_agent: str, place: object) -> int | None:
    """A checkpoint that names position 1, as one does to which a replay went back."""
    return 1


async def committed(settings: Settings, partition: int, offset: int, group: str = "tally") -> None:
    """As an operator's tool sets a group back."""
    place = TopicPartition(f"{settings.kafka.prefix}chain.transactions", partition)
    tool = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap, group_id=f"{settings.kafka.prefix}{group}", enable_auto_commit=False
    )
    tool.assign([place])
    await tool.start()
    await tool.commit({place: offset})
    await tool.stop()


@pytest.fixture
async def own(broker: str, jars_dir: Path, tmp_path: Path) -> AsyncIterator[LocalBroker]:
    """A broker that may be stopped; ``broker`` is asked for so that jars are known to be there."""
    found = LocalBroker(tmp_path / "broker", port=free_port(), jars=jars_dir, record_startup=False)
    await asyncio.to_thread(found.start)
    try:
        yield found
    finally:
        await asyncio.to_thread(found.stop)


async def test_a_broker_that_is_silent_or_gone_has_failed_and_nothing_is_said_of_its_groups(own: LocalBroker) -> None:
    kafka = KafkaSettings(bootstrap=own.bootstrap, prefix="p.", partitions=2, request_timeout_ms=2_000)
    await apply(kafka)
    await committed(Settings(kafka=kafka), 0, 0)
    provider = Broker(Groups(kafka, {"tally": Tally.inputs}), 1.0)
    assert (await ask(provider, 20)).status == "healthy"
    assert set(provider.groups) == {"tally"}
    assert own.pid is not None
    os.kill(own.pid, signal.SIGSTOP)
    try:
        silent = await ask(provider, 1.5)
        assert (silent.status, silent.detail, silent.down) == ("failed", "no answer within 1.5 s", True)
        assert provider.groups == {}
    finally:
        os.kill(own.pid, signal.SIGCONT)
    assert (await ask(provider, 20)).status == "healthy"
    await asyncio.to_thread(own.stop)
    gone = await ask(provider, 20)
    assert (gone.status, gone.down) == ("failed", True)
    assert provider.groups == {}
    with pytest.raises(LogError):
        await Groups(kafka, {"tally": Tally.inputs}).look()
    await provider.close()
