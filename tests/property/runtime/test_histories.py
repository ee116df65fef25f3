"""The real worker over the in-memory log, with any history, any poll size, any crash: what stands is what the chain demands."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.ports.log import LogError, TopicPartition
from tests.fakelog import FakeBroker
from tests.strategies import Move, histories, play
from tests.toys import factory
from tests.unit.runtime import driving
from tests.unit.runtime.driving import FAST, Tally, caught_up, check_tally, until, worker


class Crash(Exception):
    pass


async def run(moves: list[Move], poll: int, parts: int, faults: list[int]) -> None:
    broker, chain = FakeBroker(), play(moves, partitions=2)
    due = set(faults)
    steps = 0

    def fault(name: str) -> None:
        nonlocal steps
        steps += 1
        if steps in due:
            raise Crash if steps % 2 else LogError(name)

    broker.fault = fault
    limits = replace(FAST, poll_records=poll, rewind_span=3)
    with tempfile.TemporaryDirectory() as folder:
        config = driving.settings(Path(folder))
        config.reorg.window = 2
        size = max(1, -(-chain.sequence // parts))
        for start in range(0, chain.sequence, size):
            for step in chain.steps[start : start + size]:
                for partition, records in enumerate(step.records):
                    broker.append(TopicPartition(chain.topic, partition), records)
            while True:
                try:
                    async with worker(broker, config, [factory(Tally)], limits) as task:
                        await until(lambda: caught_up(broker, "tally"), task)
                except Crash:
                    continue
                break
        check_tally(broker, chain)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    histories,
    st.sampled_from([1, 3, 10, 1000]),
    st.integers(1, 3),
    st.lists(st.integers(1, 80), unique=True, max_size=4),
)
def test_any_history_poll_size_and_crash(moves: list[Move], poll: int, parts: int, faults: list[int]) -> None:
    asyncio.run(run(moves, poll, parts, faults))
