"""Static membership on a real broker: who comes back in time takes its partitions back, and nobody else is asked anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

import pytest

from streams.errors import ConfigurationError, InstanceFencedError
from streams.ports.log import LogConsumer, LogError, TopicPartition
from streams.runtime.kafka import KafkaClient
from streams.runtime.worker import run_worker
from streams.settings import KafkaSettings, Settings, load_settings
from tests.chainlog import SIGNER, VERIFIER
from tests.integration.runtime.kafkalog import ChainWriter, check_tally, has_output, wait_for
from tests.integration.runtime.test_worker import grown
from tests.toys import Tally, factory

pytestmark = pytest.mark.kafka
INPUTS = Tally.inputs
SETTLED = 1.2  # several heartbeats


class Heard:
    """What one member was told. ``held``: its partitions now."""

    def __init__(self) -> None:
        self.shares: list[list[int]] = []
        self.revocations = 0

    @property
    def held(self) -> list[int]:
        return self.shares[-1] if self.shares else []

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        self.revocations += 1

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        self.shares.append(sorted({partition.partition for partition in partitions}))


def named(settings: Settings, name: str | None, session_ms: int = 10_000) -> KafkaSettings:
    update = {"instance_id": name, "session_timeout_ms": session_ms, "heartbeat_interval_ms": 200}
    return settings.kafka.model_copy(update=update)


@asynccontextmanager
async def member(kafka: KafkaSettings) -> AsyncIterator[tuple[LogConsumer, Heard]]:
    consumer, heard = KafkaClient(kafka).consumer("group", INPUTS), Heard()
    await consumer.start(heard)
    try:
        yield consumer, heard
    finally:
        with suppress(LogError):
            await consumer.stop()


async def until(*shares: tuple[Heard, int]) -> None:
    async with asyncio.timeout(30):
        while any(len(heard.held) != count for heard, count in shares):
            await asyncio.sleep(0.05)


async def test_one_that_comes_back_moves_nothing(kafka_settings: Settings) -> None:
    async with member(named(kafka_settings, "a")) as (_, stays):
        async with member(named(kafka_settings, "b")) as (_, goes):
            await until((stays, 1), (goes, 1))
            told, shares, before = stays.revocations, len(stays.shares), goes.held
        await asyncio.sleep(SETTLED)
        for _ in range(2):
            async with member(named(kafka_settings, "b")) as (_, back):
                await until((back, 1))
                assert back.held == before
        await asyncio.sleep(SETTLED)
        assert (stays.revocations, len(stays.shares)) == (told, shares)


async def test_without_a_name_the_same_shares_out_anew(kafka_settings: Settings) -> None:
    async with member(named(kafka_settings, None)) as (_, stays):
        async with member(named(kafka_settings, None)) as (_, goes):
            await until((stays, 1), (goes, 1))
        await until((stays, 2))


async def test_one_that_stays_away_is_given_up(kafka_settings: Settings) -> None:
    async with member(named(kafka_settings, "a", 1_000)) as (_, stays):
        async with member(named(kafka_settings, "b", 1_000)) as (_, goes):
            await until((stays, 1), (goes, 1))
        await until((stays, 2))


async def test_of_two_with_one_name_the_older_is_out_for_good(kafka_settings: Settings) -> None:
    async with member(named(kafka_settings, "a")) as (older, first):
        await until((first, 2))
        async with member(named(kafka_settings, "a")) as (_, second):
            await until((second, 2))
            with pytest.raises(InstanceFencedError, match=r"another process joined \S+group as a"):
                async with asyncio.timeout(10):
                    while True:
                        await older.getmany(timeout_ms=100, max_records=1)
            await asyncio.sleep(SETTLED)
            with pytest.raises(InstanceFencedError):
                await older.getmany(timeout_ms=100, max_records=1)
            assert len(second.shares) == 1  # nobody took the place again


async def test_a_worker_whose_name_is_taken_ends_and_nothing_is_lost_or_doubled(kafka_settings: Settings) -> None:
    kafka_settings.kafka = named(kafka_settings, "worker-0")
    chain, stop = grown(5), asyncio.Event()

    def started() -> asyncio.Task[None]:
        return asyncio.create_task(run_worker(kafka_settings, [factory(Tally)], VERIFIER, SIGNER, stop))

    async with ChainWriter(kafka_settings) as writer:
        await writer.publish(chain)
        older = started()
        await wait_for(lambda: has_output(kafka_settings, chain), older)
        newer = started()
        try:
            with pytest.raises(InstanceFencedError):
                await asyncio.wait_for(older, 30)
            chain.undo(2)
            chain.add([1, 2, 3], fork="b")
            await writer.publish(chain)
            await wait_for(lambda: has_output(kafka_settings, chain), newer)
        finally:
            stop.set()
            await asyncio.wait_for(newer, 30)
    await check_tally(kafka_settings, chain)


@pytest.mark.parametrize("name", ["", "a b", "é", "x" * 201])
def test_a_name_no_broker_would_take_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONMOUTH_KAFKA__INSTANCE_ID", name)
    with pytest.raises(ConfigurationError, match=r"kafka\.instance_id"):
        load_settings()
