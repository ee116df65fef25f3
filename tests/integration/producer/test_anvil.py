"""A real node that reorganises, goes back and is reset, end to end into a real log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from connectors.chain.rpc import RpcSource
from streams.cli.producer import build
from streams.producer.follow import ChainMismatchError
from streams.producer.loop import BlockProducer
from streams.settings import Settings
from streams.topics import TRANSACTIONS
from tests.integration.node_fixtures import Anvil
from tests.integration.producer.logs import canonical, notifications, own_verifier, read

pytestmark = [pytest.mark.kafka, pytest.mark.node]


@asynccontextmanager
async def following(settings: Settings, node: Anvil) -> AsyncIterator[BlockProducer]:
    """A producer that runs beside the test; every block is checked down to the senders."""
    settings.chain.poll_interval = 0.1
    source = RpcSource(node.http, node.ws, level="senders")
    producer = await build(settings, source)
    running, test = asyncio.create_task(producer.run()), asyncio.current_task()
    running.add_done_callback(lambda done: done.exception() and test.cancel("the producer failed"))
    try:
        yield producer
    finally:
        producer.stop()
        await asyncio.gather(running, return_exceptions=True)
        await source.close()
        if running.exception():
            raise running.exception()


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not (found if isinstance(found := condition(), bool) else await found):
            await asyncio.sleep(0.05)


async def caught_up(producer: BlockProducer, node: Anvil) -> bool:
    tip = producer.progress.view.tip
    return tip is not None and "0x" + tip.hash.hex() == (await node.hashes())[-1]


async def test_reorg_and_rollback_end_to_end(kafka_settings: Settings, anvil: Anvil) -> None:
    await anvil.mine(12, transactions=3)
    async with following(kafka_settings, anvil) as producer:
        await until(lambda: caught_up(producer, anvil))
        await anvil.rpc.call("anvil_reorg", 4, [])
        await until(lambda: caught_up(producer, anvil))
        await anvil.mine(2)
        await until(lambda: caught_up(producer, anvil))
        await anvil.rpc.call("anvil_rollback", 3)
        await until(lambda: caught_up(producer, anvil))
        await anvil.mine(1)
        await until(lambda: caught_up(producer, anvil))
        assert (producer.progress.reorgs, producer.progress.deepest) == (2, 4)
    records = await notifications(kafka_settings)
    assert ["0x" + block.hex() for block in canonical(records)] == await anvil.hashes()
    assert [len(record["removed"]) for record in records if record["step"] == "UNDO"] == [4, 3]
    verifier = own_verifier(kafka_settings)
    for record in records:
        verifier.verify("BlockNotification", record)
    per_partition = [len(part) for part in (await read(kafka_settings, TRANSACTIONS)).values()]
    written = sum(record["records"] for record in records)
    assert sum(per_partition) == written + len(records) * len(per_partition)


async def test_a_rollback_while_nobody_looked_is_healed_by_the_next_block(kafka_settings: Settings, anvil: Anvil) -> None:
    await anvil.mine(6)
    async with following(kafka_settings, anvil) as producer:
        await until(lambda: caught_up(producer, anvil))
    await anvil.rpc.call("anvil_rollback", 3)
    await anvil.mine(4, transactions=2)
    async with following(kafka_settings, anvil) as producer:
        await until(lambda: caught_up(producer, anvil))
        assert producer.progress.deepest == 3
    assert ["0x" + block.hex() for block in canonical(await notifications(kafka_settings))] == await anvil.hashes()


async def test_a_node_that_was_reset_halts_the_producer(kafka_settings: Settings, anvil: Anvil) -> None:
    await anvil.mine(5)
    async with following(kafka_settings, anvil) as producer:
        await until(lambda: caught_up(producer, anvil))
    before = await notifications(kafka_settings)
    await anvil.rpc.call("anvil_reset")
    await anvil.mine(8)
    source = RpcSource(anvil.http)
    if (await source.genesis()) == before[0]["block"]["hash"]:
        pytest.skip("anvil gave the reset chain the same genesis block")
    try:
        with pytest.raises(ChainMismatchError):
            await (await build(kafka_settings, source, once=True)).run()
    finally:
        await source.close()
    assert await notifications(kafka_settings) == before
