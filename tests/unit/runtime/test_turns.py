"""The event loop gets its turns while much is folded, how late it comes to them is measured, and readers stay connected."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from streams.runtime.fold import TURN_SECONDS
from streams.runtime.readers import KEPT, Readers
from streams.runtime.stalls import watch_stalls
from tests.chainlog import ChainLog
from tests.fakelog import FakeBroker, FakeReader
from tests.toys import Tally, factory
from tests.unit.runtime.driving import caught_up, check_tally, publish, settings, until, worker


async def test_others_run_between_slow_blocks(tmp_path: Path) -> None:
    turns, seen = [0], []

    class Slow(Tally):
        def apply(self, block, records):  # type: ignore[no-untyped-def]
            time.sleep(TURN_SECONDS * 1.2)
            seen.append(turns[0])
            return super().apply(block, records)

        def revert(self, block, records):  # type: ignore[no-untyped-def]
            time.sleep(TURN_SECONDS * 1.2)
            seen.append(turns[0])
            return super().revert(block, records)

    async def others() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for n in range(10):
        chain.add([n])
    chain.undo(8)
    publish(broker, chain)
    ticking = asyncio.create_task(others())
    try:
        async with worker(broker, settings(tmp_path), [factory(Slow)]) as task:
            await until(lambda: caught_up(broker, "tally"), task)
    finally:
        ticking.cancel()
    check_tally(broker, chain)
    assert len(seen) == 18
    assert len(set(seen)) == 18, "nobody ran between two of them"


async def test_stalls_are_measured() -> None:
    def count(bound: str) -> float:
        return REGISTRY.get_sample_value("monmouth_runtime_stall_seconds_bucket", {"le": bound}) or 0.0

    watching = asyncio.create_task(watch_stalls())
    await asyncio.sleep(0.12)
    late = count("+Inf") - count("0.2")
    asyncio.get_running_loop().call_soon(time.sleep, 0.4)
    await asyncio.sleep(0.12)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    assert count("+Inf") - count("0.2") > late


class Counting(FakeBroker):
    closed = made = 0

    def reader(self) -> FakeReader:
        broker = self
        broker.made += 1

        class Reader(FakeReader):
            async def close(self) -> None:
                broker.closed += 1

        return Reader(self)


async def test_readers_are_lent_again_unless_they_failed() -> None:
    broker = Counting()
    readers = Readers(broker)
    async with readers.lent() as first, readers.lent() as second:
        assert first is not second
    async with readers.lent() as again:
        assert again in (first, second)
    assert (broker.made, broker.closed) == (2, 0)
    with pytest.raises(ZeroDivisionError):
        async with readers.lent():
            raise ZeroDivisionError
    assert (broker.made, broker.closed) == (2, 1)


async def test_no_more_readers_are_kept_than_that() -> None:
    broker = Counting()
    readers = Readers(broker)

    async def use(left: int) -> None:
        async with readers.lent():
            if left:
                await use(left - 1)

    await use(KEPT + 2)
    assert (broker.made, broker.closed) == (KEPT + 3, 3)
    async with readers.lent():
        await readers.close()
        assert broker.closed == broker.made - 1
    assert broker.closed == broker.made
