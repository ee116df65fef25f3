"""Crashes, unclear commits, fencing: at every step of every transaction, the result is the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from streams import topics
from streams.errors import FencedError
from streams.ports.log import LogError, TopicPartition
from tests.chainlog import ChainLog
from tests.fakelog import FakeBroker, FakeConsumer
from tests.toys import factory
from tests.unit.runtime.driving import Tally, caught_up, check_tally, count, publish, settings, until, worker

STEPS = ["producer.start", "begin", "send", "send_offsets", "commit", "committed", "read"]


class Crash(Exception):
    """Stands for the end of the process."""


def stormy() -> ChainLog:
    chain = ChainLog()
    for n in range(6):
        chain.add(range(n % 3 + 1))
    chain.undo(3)
    chain.add([1, 1, 2], fork="b")
    chain.finalize(3)
    chain.add([5])
    return chain


def failing(step: str, nth: int, error: Callable[[], Exception]) -> Callable[[str], None]:
    """Fails the ``nth`` time ``step`` is taken."""
    seen = 0

    def fault(name: str) -> None:
        nonlocal seen
        if name == step:
            seen += 1
            if seen == nth:
                raise error()

    return fault


async def test_a_partition_that_an_error_closed_counts_it_once(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), stormy()
    publish(broker, chain)
    broker.fault = failing("commit", 2, lambda: LogError("timeout"))
    errors = count(LogError)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    assert count(LogError) == errors + 1


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [lambda: LogError("timeout"), lambda: FencedError("fenced")], ids=["unclear", "fenced"])
async def test_errors_of_the_log_change_nothing(tmp_path: Path, step: str, error: Callable[[], Exception]) -> None:
    for nth in (1, 2, 3):
        broker, chain = FakeBroker(), stormy()
        publish(broker, chain)
        broker.fault = failing(step, nth, error)
        async with worker(broker, settings(tmp_path / str(nth)), [factory(Tally)]) as task:
            await until(lambda: caught_up(broker, "tally"), task)  # noqa: B023
        check_tally(broker, chain)


@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_at_any_step_changes_nothing(tmp_path: Path, step: str) -> None:
    for nth in (1, 2, 3, 4):
        broker, chain = FakeBroker(), stormy()
        config = settings(tmp_path / str(nth))
        broker.fault = failing(step, nth, Crash)
        published = 0
        for upto in (3, 7, chain.sequence):  # so that there are several transactions to crash in
            for at in range(published, upto):
                for partition, records in enumerate(chain.steps[at].records):
                    broker.append(TopicPartition(chain.topic, partition), records)
            published = upto
            for _ in range(2):
                try:
                    async with worker(broker, config, [factory(Tally)]) as task:
                        await until(lambda: caught_up(broker, "tally"), task)  # noqa: B023
                except Crash:
                    continue
                break
        check_tally(broker, chain)


async def test_an_older_owner_that_wakes_up_writes_nothing(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    chain.add([1, 2])
    publish(broker, chain)
    frozen = broker.producer("tally", 0)
    await frozen.start()
    await frozen.begin()
    await frozen.send({TopicPartition(topics.INTENTS, 0): [(b"k", b"stale")]})
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        with pytest.raises(FencedError):
            await frozen.commit()
    check_tally(broker, chain)


async def test_state_that_moved_on_under_a_paused_worker_is_not_overwritten(tmp_path: Path) -> None:
    from streams.runtime.state import StaleStateError, StateStore, state_path  # noqa: PLC0415

    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    chain.add([1, 2])
    publish(broker, chain)
    path = state_path(tmp_path, "tally", 0)
    paused = StateStore(path)
    paused.put(b"t" + b"x" * 20, b"99")
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        with pytest.raises(StaleStateError):
            paused.commit({}, "tip")
    paused.close()
    check_tally(broker, chain)


async def test_damaged_local_state_is_found_at_the_next_start_and_rebuilt(tmp_path: Path) -> None:
    from streams.runtime.state import StateStore, state_path  # noqa: PLC0415
    from tests.chainlog import address  # noqa: PLC0415

    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    chain.add([1, 2])
    publish(broker, chain)
    config = settings(tmp_path)
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    store = StateStore(state_path(tmp_path, "tally", 0))
    store.put(b"t" + address(1), b"40")
    store.commit({}, "tip")
    store.close()
    since = chain.sequence
    chain.add([1])
    publish(broker, chain, since)
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_a_flapping_log_under_load(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=4), ChainLog(partitions=4)
    chance = random.Random(7)

    def fault(name: str) -> None:
        if chance.random() < 0.06:
            raise LogError(f"flap at {name}")

    broker.fault = fault
    config = settings(tmp_path)
    async with worker(broker, config, [factory(Tally)]) as task:
        published = 0
        for turn in range(30):
            chain.add(range(turn % 7), fork=turn)
            if turn % 5 == 4:
                chain.undo(turn % 4 + 1)
            publish(broker, chain, published)
            published = chain.sequence
            await asyncio.sleep(0.01)
        await until(lambda: caught_up(broker, "tally"), task, seconds=30)
        broker.fault = lambda _: None
    check_tally(broker, chain)


async def test_a_cancellation_nobody_asked_for_leaves_no_partition_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, chain = FakeBroker(), ChainLog()
    for _ in range(3):
        chain.add([1, 2, 3])
    publish(broker, chain)
    left = 3
    committed = FakeConsumer.committed

    async def gives_up(self: FakeConsumer, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int | None]:
        nonlocal left
        if left:
            left -= 1
            shared = asyncio.get_running_loop().create_future()
            shared.cancel()  # as aiokafka does to all who wait, when one of them gives up
            await shared
        return await committed(self, partitions)

    monkeypatch.setattr(FakeConsumer, "committed", gives_up)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    assert left == 0
    check_tally(broker, chain)
