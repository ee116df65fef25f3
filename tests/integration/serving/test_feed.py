"""The change feed on a real broker: transactions, an UNDO, and a gateway that is started again while somebody follows."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from schemas.codec import codec
from schemas.records import MemoryFact
from streams.core.block import BlockRef, Step
from streams.core.marker import Marker
from streams.serving.client import AsyncClient
from streams.serving.server import Gateway, Stores
from streams.serving.wire import Change
from streams.settings import Settings
from streams.signing import Verifier
from streams.topics import MEMORY_LOG, physical
from tests.chainlog import partition_of
from tests.identity import operator_token
from tests.integration.serving.broker import SIGNER, LogWriter, log_writer
from tests.serving_fakes import FakeEmbedder
from tests.steps import block, step_new, step_undo
from tests.unit.serving.world import ALICE, BOB, upsert

pytestmark = pytest.mark.kafka

GENESIS = block(0, 0, bytes(32))
FIRST = block(1, 0, GENESIS.hash)
OTHER = block(1, 1, GENESIS.hash)


class Writer:
    """Writes memory.log as the memory agent does: facts and markers in one transaction."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._topic = physical(settings.kafka.prefix, MEMORY_LOG)
        self._partitions = settings.kafka.partitions
        self._sequence = 0

    async def block(self, ref: BlockRef, facts: Sequence[MemoryFact], *, commit: bool = True) -> None:
        await self._transaction(Step.NEW, ref, ref, facts, commit=commit)

    async def undo(self, removed: BlockRef, ancestor: BlockRef) -> None:
        await self._transaction(Step.UNDO, removed, ancestor, (), removed=(removed,), ancestor=ancestor)

    async def _transaction(
        self,
        step: Step,
        ref: BlockRef,
        head: BlockRef,
        facts: Sequence[MemoryFact],
        *,
        commit: bool = True,
        removed: tuple[BlockRef, ...] = (),
        ancestor: BlockRef | None = None,
    ) -> None:
        await self._producer.begin_transaction()
        for fact in facts:
            place = partition_of(fact["owner"], self._partitions)
            value = codec().encode("MemoryFact", fact)
            await self._producer.send_and_wait(self._topic, value, key=fact["owner"], partition=place)
        for number in range(self._partitions):
            marker = Marker(step, 1337, self._sequence, MEMORY_LOG, number, ref, head, removed=removed, ancestor=ancestor)
            value = codec().encode("Marker", SIGNER.sign("Marker", marker.record()))
            await self._producer.send_and_wait(self._topic, value, partition=number)
        if commit:
            await self._producer.commit_transaction()
            self._sequence += 1
        else:
            await self._producer.abort_transaction()


@asynccontextmanager
async def writing(settings: Settings) -> AsyncIterator[Writer]:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, transactional_id=f"test-{uuid.uuid4().hex}")
    await producer.start()
    try:
        yield Writer(settings, producer)
    finally:
        await producer.stop()


async def taken(feed: AsyncGenerator[Change], count: int) -> list[Change]:
    async with asyncio.timeout(30):
        return [await anext(feed) for _ in range(count)]


async def happen(stores: Stores, chain: LogWriter, log: Writer, ref: BlockRef, sequence: int, text: str) -> None:
    facts = [upsert(ALICE, ref, 0, text), upsert(BOB, ref, 1, "secret of bob")]
    await chain.steps(step_new(sequence, ref))
    await stores.memories.apply(facts)
    await log.block(ref, facts)


async def test_a_follower_sees_each_committed_change_once_over_a_restart(kafka_settings: Settings) -> None:
    settings = kafka_settings
    settings.gateway.port = settings.gateway.metrics_port = 0
    embedder = FakeEmbedder()
    stores = Stores(
        LmdbMemoryStore(settings.path(settings.memory.db_path)),
        LmdbVectorStore(settings.path(settings.state_dir / "vectors"), dimension=embedder.dimension),
    )

    def gateway() -> Gateway:
        return Gateway(settings, stores, embedder, Verifier([SIGNER.public]))

    first = gateway()
    await first.start()
    settings.gateway.port = first.port  # so that the second one is found where the first one was
    async with (
        log_writer(settings.kafka) as chain,
        writing(settings) as log,
        AsyncClient(first.url, token=operator_token(settings)) as client,
    ):
        await chain.steps(step_new(0, GENESIS))
        await log.block(GENESIS, [])
        feed = client.watch(ALICE, start="beginning")
        waiting = asyncio.create_task(taken(feed, 1))
        await log.block(FIRST, [upsert(ALICE, FIRST, 7, "never committed")], commit=False)
        await happen(stores, chain, log, FIRST, 1, "swapped eth for dai")
        (stored,) = await waiting
        assert stored.memory is not None
        assert (stored.type, stored.memory.text) == ("memory.stored", "swapped eth for dai")
        waiting = asyncio.create_task(taken(feed, 3))
        async with asyncio.timeout(8):  # less than the time that requests in flight are given
            await first.stop()
        await chain.steps(step_undo(2, [FIRST], GENESIS))
        await log.undo(FIRST, GENESIS)
        second = gateway()
        await second.start()
        try:
            await happen(stores, chain, log, OTHER, 3, "swapped eth for usdc")
            undone, off, again = await waiting
            assert (undone.type, undone.memory_id, undone.undone) == ("memory.undone", stored.memory_id, "memory.stored")
            assert [ref.hash for ref in off.removed] == ["0x" + FIRST.hash.hex()]
            assert again.memory is not None
            assert again.memory.text == "swapped eth for usdc"
            resumed = await taken(client.watch(ALICE, cursor=stored.cursor), 3)
            assert resumed == [undone, off, again]
        finally:
            await feed.aclose()
            await second.stop()
    await stores.memories.close()
    await stores.vectors.close()
