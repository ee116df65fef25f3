"""A partition whose store is slow is held: it takes no more, the others go on, and what waits is neither lost nor doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from streams import topics
from streams.agents.base import LocalState
from streams.core.record import Record
from streams.ports.log import TopicPartition
from streams.runtime.job import AgentFactory
from tests.chainlog import ChainLog
from tests.fakelog import FakeBroker
from tests.unit.runtime.driving import FAST, Tally, caught_up, check_tally, publish, settings, until, worker

SLOW, QUICK = 0, 1


class Gated(Tally):
    """Its store answers for the slow partition only while ``gate`` is open."""

    gate: asyncio.Event
    most = 0

    async def prepare(self, records: Sequence[Record]) -> None:
        if self.partition == SLOW:
            type(self).most = max(type(self).most, len(records))

    async def flush(self) -> None:
        if self.partition == SLOW:
            await type(self).gate.wait()


def gated() -> tuple[type[Gated], AgentFactory]:
    spec = type("Gated", (Gated,), {"gate": asyncio.Event(), "most": 0})

    def make(partition: int, state: LocalState) -> Gated:
        return spec(partition, state)

    return spec, AgentFactory(spec, make)


def grown(chain: ChainLog, blocks: int = 6) -> None:
    for n in range(blocks):
        chain.add(range(n % 4 + 4))


def at(broker: FakeBroker, partition: int) -> int:
    return broker.committed.get(("tally", TopicPartition(topics.TRANSACTIONS, partition)), 0)


async def test_one_slow_partition_does_not_stop_another(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), ChainLog()
    spec, factory = gated()
    async with worker(broker, settings(tmp_path), [factory]) as task:
        for _ in range(4):
            since, before = chain.sequence, at(broker, QUICK)
            grown(chain)
            publish(broker, chain, since)
            await until(lambda before=before: at(broker, QUICK) > before, task)
            assert at(broker, SLOW) == 0
        spec.gate.set()
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_no_more_is_taken_than_may_be_in_hand(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), ChainLog()
    spec, factory = gated()
    grown(chain, 40)
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory], replace(FAST, poll_records=20)) as task:
        await until(lambda: at(broker, QUICK) > 0 and spec.most > 0, task)
        await asyncio.sleep(0.1)
        (member,) = broker.groups["tally"].members
        taken = member.consumer.assigned[TopicPartition(topics.TRANSACTIONS, SLOW)]
        assert 0 < taken <= 20
        spec.gate.set()
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_a_held_partition_is_handed_on_with_what_waits(tmp_path: Path) -> None:
    """The rebalance waits for the transaction in flight; what was taken beyond it is read again by whoever comes next."""
    broker, chain = FakeBroker(), ChainLog()
    spec, factory = gated()
    grown(chain, 30)
    publish(broker, chain)
    limits = replace(FAST, poll_records=60, poll_seconds=1e-6)  # portions of one record: what is taken at once is many of them
    async with worker(broker, settings(tmp_path / "one"), [factory], limits) as task:
        await until(lambda: spec.most > 0, task)
        rebalance = asyncio.create_task(broker.rebalance("tally"))
        await asyncio.sleep(0.05)
        assert not rebalance.done(), "nobody waited for the transaction in flight"
        spec.gate.set()
        await rebalance
        async with worker(broker, settings(tmp_path / "two"), [factory], limits) as other:
            await until(lambda: caught_up(broker, "tally"), other)
        since = chain.sequence
        grown(chain)
        publish(broker, chain, since)
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_a_stop_waits_for_the_transaction_in_flight_and_not_for_all_that_was_taken(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    spec, factory = gated()
    grown(chain, 30)
    publish(broker, chain)
    limits = replace(FAST, poll_seconds=1e-6)
    async with worker(broker, settings(tmp_path), [factory], limits) as task:
        await until(lambda: spec.most > 0, task)
        asyncio.get_running_loop().call_later(0.1, spec.gate.set)
    assert not caught_up(broker, "tally")
    async with worker(broker, settings(tmp_path), [factory], limits) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_a_cancellation_that_leaks_out_of_a_store_loses_nothing(tmp_path: Path) -> None:
    """Nobody stopped the work: the partition is opened anew, instead of reading on behind what it had in hand."""
    broker, chain = FakeBroker(), ChainLog()

    class Leaking(Tally):
        leaks = 2

        async def flush(self) -> None:
            if type(self).leaks:
                type(self).leaks -= 1
                given_up = asyncio.get_running_loop().create_future()
                given_up.cancel()
                await given_up

    grown(chain)
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [AgentFactory(Leaking, Leaking)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    assert not Leaking.leaks
    check_tally(broker, chain)
