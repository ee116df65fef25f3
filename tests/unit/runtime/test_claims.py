"""A partition takes its outside stores over after the log has fenced the former owner and before it reads where to go on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

import pytest

from streams import topics
from streams.agents.base import LocalState
from streams.ports.log import TopicPartition
from streams.runtime.job import AgentFactory
from tests.chainlog import ChainLog
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

    async def claim(partition: int) -> None:
        await asyncio.sleep(0)
        said.append("claim")

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
