"""A partition takes its outside stores over after the log has fenced the former owner and before it reads where to go on."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection
from pathlib import Path

import pytest

from connectors.stores.lmdb_memory import LmdbMemoryStore
from streams import topics
from streams.agents.base import LocalState
from streams.agents.memory import MemoryAgent
from streams.core.presence import everything
from streams.ports.log import TopicPartition
from streams.ports.stores import MemoryStore
from streams.runtime.job import AgentFactory
from tests.chainlog import ChainLog, address
from tests.fakelog import FakeBroker, FakeConsumer, FakeProducer
from tests.toys import Tally
from tests.unit.runtime.driving import caught_up, check_tally, publish, settings, until, worker


async def test_every_opening_claims_between_fence_and_position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    start, committed = FakeProducer.start, FakeConsumer.committed

    async def starts(self: FakeProducer) -> None:
        await start(self)
        said.append("fence")

    async def reads(self: FakeConsumer, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int | None]:
        said.append("position")
        return await committed(self, partitions)

    async def claim(partition: int) -> bytes:
        await asyncio.sleep(0)
        said.append("claim")
        return b"stores"

    def make(partition: int, state: LocalState) -> Tally:
        said.append("make")
        return Tally(partition, state)

    monkeypatch.setattr(FakeProducer, "start", starts)
    monkeypatch.setattr(FakeConsumer, "committed", reads)
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for number in range(5):
        chain.add([number])
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [AgentFactory(Tally, make, claim=claim)]) as task:
        await until(lambda: caught_up(broker, "tally", topics.TRANSACTIONS), task)
        await broker.rebalance("tally")
        chain.add([1])
        publish(broker, chain, 5)
        await until(lambda: caught_up(broker, "tally", topics.TRANSACTIONS), task)
    check_tally(broker, chain)
    assert said[:4] == ["fence", "claim", "position", "make"]
    assert said.count("claim") == said.count("fence")


async def test_a_store_made_anew_is_filled_from_the_log(tmp_path: Path) -> None:
    """Somebody moved the folder away: local state says all is done, and the new store knows nothing of it."""
    broker, chain, config = FakeBroker(partitions=1), ChainLog(partitions=1), settings(tmp_path)
    for number in range(6):
        chain.add([number % 2])
    chain.undo(2)
    chain.add([1])
    publish(broker, chain)
    folder = tmp_path / "memories"

    async def run() -> list[list[bytes]]:
        store = LmdbMemoryStore(folder, 1 << 24)
        lanes: dict[int, MemoryStore] = {}

        async def claim(partition: int) -> bytes:
            lanes[partition] = await store.claim(b"lane")
            return store.identity

        def make(partition: int, state: LocalState) -> MemoryAgent:
            return MemoryAgent(partition, state, lanes[partition])

        async with worker(broker, config, [AgentFactory(MemoryAgent, make, claim=claim)]) as task:
            await until(lambda: lanes and caught_up(broker, "memory", topics.TRANSACTIONS), task)
            await asyncio.sleep(0.3)
        found = [await store.live_ids(address(number), everything) for number in range(2)]
        await store.close()
        return found

    first = await run()
    written = len(broker.read(topics.MEMORY_LOG, 0))
    assert [len(ids) for ids in first] == [2, 3]
    assert await run() == first
    shutil.rmtree(folder)
    assert await run() == first
    assert len(broker.read(topics.MEMORY_LOG, 0)) == written, "nothing is published twice"
