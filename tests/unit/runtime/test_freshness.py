"""Latency against the chain's own time, and throughput of the last second."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from streams import wall
from streams.core.block import BlockRef, Step
from streams.core.marker import Marker
from streams.core.record import Record
from streams.core.segment import Block, Outside
from streams.runtime.freshness import Rate, committed
from tests.chainlog import ChainLog
from tests.fakelog import FakeBroker
from tests.toys import AgentFactory, Tally
from tests.unit.runtime.driving import caught_up, publish, settings, until, worker

REF = BlockRef(1, bytes(32), bytes(32))
EIGHTHS = st.integers(0, 24).map(lambda eighths: eighths / 8)  # exact in binary
MARKER = Marker(Step.NEW, 1, 1, "t", 0, REF, REF)


def count(agent: str, name: str = "transaction_latency_ms_histogram_count") -> float:
    return REGISTRY.get_sample_value(f"monmouth_{name}", {"agent": agent}) or 0.0


def block(age: float, transactions: int) -> Block:
    records = [Record("t", 0, at, b"", "ChainTransaction", {"role": "COUNTERPARTY"}) for at in range(transactions)]
    return Block(replace(MARKER, timestamp=int(time.time() - age)), records, 0, transactions)


def test_new_blocks_count_once_each_and_old_ones_are_history() -> None:
    committed("fresh", [block(3, 2), block(0, 1), block(5, 0), block(3_600, 7), Outside([], 1)])
    assert count("fresh") == 2
    assert 3_000 <= count("fresh", "transaction_latency_ms_histogram_sum") < 8_000
    assert count("fresh", "throughput_tps") == 10


def test_a_clock_that_is_ahead_gives_no_negative_latency() -> None:
    committed("ahead", [block(-30, 1)])
    assert (count("ahead"), count("ahead", "transaction_latency_ms_histogram_sum")) == (1, 0)


async def test_a_worker_counts_what_it_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hasty(Tally):
        name = "hasty"

    monkeypatch.setattr(wall, "time_of_day", lambda: 1_700_000_004.0)
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for _ in range(3):
        chain.add([1, 2])
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [AgentFactory(Hasty, Hasty)]) as task:
        await until(lambda: caught_up(broker, "hasty"), task)
    assert count("hasty") == 3


@given(st.lists(st.tuples(EIGHTHS, st.integers(1, 9))))
def test_throughput_is_what_the_last_second_held(steps: list[tuple[float, int]]) -> None:
    rate, now, seen = Rate(), 0.0, []
    for wait, found in steps:
        now += wait
        rate.add(found, now)
        seen.append((now, found))
        assert rate.value(now) == sum(n for at, n in seen if at > now - 1)
    assert rate.value(now + 1) == 0
