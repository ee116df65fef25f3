"""A partition that is held back: put down, left alone, taken up again; the others go on, and nothing is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

from streams import topics
from streams.errors import LogIntegrityError
from streams.last_words import LastWords
from streams.ports.log import TopicPartition
from streams.settings import Settings
from streams.switches import FILE, Switch, change, hold
from tests.fakelog import FakeBroker
from tests.toys import Tally, factory
from tests.unit.runtime.driving import caught_up, check_tally, publish, settings, until, worker
from tests.unit.runtime.test_loop import grown

HELD = 1


async def _quiet() -> None:
    """Longer than a poll."""
    await asyncio.sleep(0.6)


def end_of(broker: FakeBroker, partition: int) -> int:
    return broker.stable(TopicPartition(topics.TRANSACTIONS, partition))


def stands(broker: FakeBroker, partition: int) -> int:
    return broker.committed.get(("tally", TopicPartition(topics.TRANSACTIONS, partition)), 0)


def switch(config: Settings, *, on: bool) -> None:
    name = hold("tally", HELD)
    change(config.path(FILE), {name: Switch("to be looked at")} if on else None, () if on else (name,))


async def test_it_stands_still_while_others_go_on_and_catches_up_after(tmp_path: Path) -> None:
    broker, chain, config = FakeBroker(), grown(), settings(tmp_path)
    publish(broker, chain)
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        switch(config, on=True)
        await _quiet()
        before, since = stands(broker, HELD), chain.sequence
        chain.undo(2)
        for n in range(6):
            chain.add([0, 1, 2, 3], fork=n)
        publish(broker, chain, since)
        others = [number for number in range(chain.partitions) if number != HELD]
        await until(lambda: all(stands(broker, number) >= end_of(broker, number) for number in others), task)
        assert stands(broker, HELD) == before < end_of(broker, HELD)
        switch(config, on=False)
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_a_worker_that_starts_leaves_it_alone_from_the_beginning(tmp_path: Path) -> None:
    broker, chain, config = FakeBroker(), grown(), settings(tmp_path)
    publish(broker, chain)
    switch(config, on=True)
    async with worker(broker, config, [factory(Tally)]) as task:
        others = [number for number in range(chain.partitions) if number != HELD]
        await until(lambda: all(stands(broker, number) >= end_of(broker, number) for number in others), task)
        assert stands(broker, HELD) == 0
        switch(config, on=False)
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_one_whose_position_is_lost_does_not_stop_the_others(tmp_path: Path) -> None:
    broker, chain, config = FakeBroker(), grown(), settings(tmp_path)
    publish(broker, chain)
    broker.cut(TopicPartition(topics.TRANSACTIONS, HELD), 3)
    switch(config, on=True)
    others = [number for number in range(chain.partitions) if number != HELD]
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: all(stands(broker, number) >= end_of(broker, number) for number in others), task)
        await _quiet()
        assert not task.done()
        assert stands(broker, HELD) == 0


async def test_an_error_that_ends_a_worker_says_where_it_happened(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    broker.append(TopicPartition(topics.TRANSACTIONS, HELD), [(None, b"\\x00garbage that is no marker")] * 3)
    words: LastWords | None = None
    chain.add([0, 1, 2, 3])
    publish(broker, chain, chain.sequence - 1)
    try:
        async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
            await until(task.done)
    except LogIntegrityError as error:
        words = LastWords.of(error)
    assert words is not None
    assert words.place == f"tally/{HELD}"
