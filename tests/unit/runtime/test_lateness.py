"""Seconds behind: the age of what waits, 0 when nothing does."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from streams import topics
from streams.agents.base import LocalState
from streams.ports.log import TopicPartition
from streams.runtime import lateness as module
from streams.runtime.job import AgentFactory
from streams.runtime.lateness import Lateness
from tests.chainlog import ChainLog
from tests.fakelog import FakeBroker
from tests.toys import Tally
from tests.unit.runtime.driving import caught_up, publish, settings, until, worker

SOURCE = TopicPartition(topics.TRANSACTIONS, 0)
OTHER = TopicPartition(topics.COMMANDS, 0)


class Consumer:
    def __init__(self, caught_up: bool) -> None:
        self._caught_up = caught_up

    def caught_up(self, partition: TopicPartition) -> bool:
        return self._caught_up


def looked(late: Lateness, source: TopicPartition, caught_up: bool) -> None:
    consumer: Any = Consumer(caught_up)
    late.look(source, consumer)


def behind(agent: str, partition: int = 0) -> float | None:
    return REGISTRY.get_sample_value("monmouth_runtime_seconds_behind", {"agent": agent, "partition": str(partition)})


def test_it_is_the_age_of_the_oldest_that_waits_in_any_input() -> None:
    late = Lateness("aging", lambda: 1_000.0)
    late.share([0])
    assert late.seconds(0) == behind("aging") == 0.0
    late.waits(SOURCE, 990_000)
    late.waits(OTHER, 970_000)
    assert behind("aging") == 30.0
    looked(late, OTHER, caught_up=True)
    assert behind("aging") == 10.0
    looked(late, SOURCE, caught_up=False)
    assert behind("aging") == 10.0
    looked(late, SOURCE, caught_up=True)
    assert behind("aging") == 0.0


def test_what_is_behind_without_a_record_seen_counts_from_now() -> None:
    now = [5.0]
    late = Lateness("unseen", lambda: now[0])
    late.share([0])
    looked(late, SOURCE, caught_up=False)
    now[0] = 7.0
    looked(late, SOURCE, caught_up=False)
    assert late.seconds(0) == 2.0


def test_a_clock_ahead_of_ours_is_no_negative_age() -> None:
    late = Lateness("ahead", lambda: 1.0)
    late.share([0])
    late.waits(SOURCE, 9_000)
    assert late.seconds(0) == 0.0


def test_partitions_of_others_have_no_gauge() -> None:
    late = Lateness("sharing", lambda: 1_000.0)
    late.share([0, 1])
    late.waits(SOURCE, 990_000)
    assert behind("sharing", 1) == 0.0
    late.share([0])
    assert (behind("sharing", 0), behind("sharing", 1)) == (10.0, None)
    late.waits(TopicPartition(topics.TRANSACTIONS, 1), 1)  # fetched before the share changed
    looked(late, TopicPartition(topics.TRANSACTIONS, 1), caught_up=False)
    assert late.seconds(1) == 0.0
    late.share([])
    assert behind("sharing", 0) is None


def published(name: str, age: float) -> tuple[FakeBroker, type[Tally]]:
    """A log whose records were written ``age`` seconds ago, and a stream agent of its own for it."""
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    broker.now = lambda: time.time() - age
    for _ in range(4):
        chain.add([1, 2])
    publish(broker, chain)
    return broker, type("Named", (Tally,), {"name": name})


async def test_work_in_flight_counts_and_what_is_done_does_not(tmp_path: Path) -> None:
    broker, agent = published("flying", 100)
    gate = asyncio.Event()

    class Slow(agent):  # type: ignore[misc,valid-type]
        async def prepare(self, records: Any) -> None:
            await gate.wait()

    async with worker(broker, settings(tmp_path), [AgentFactory(Slow, Slow)]) as task:
        await until(lambda: (behind("flying") or 0.0) >= 100, task)
        gate.set()
        await until(lambda: caught_up(broker, "flying"), task)
        await until(lambda: behind("flying") == 0.0, task)


async def test_a_long_opening_looks_at_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPENING_SECONDS", 0.02)
    broker, agent = published("opening", 200)
    gate = asyncio.Event()

    async def claim(partition: int) -> bytes:
        await gate.wait()
        return b""

    def make(partition: int, state: LocalState) -> Tally:
        return agent(partition, state)

    async with worker(broker, settings(tmp_path), [AgentFactory(agent, make, claim=claim)]) as task:
        await until(lambda: (behind("opening") or 0.0) >= 200, task)
        gate.set()
        await until(lambda: behind("opening") == 0.0, task)
