"""The real loop over an in-memory log: blocks, reorgs, restarts, shares, stops."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.codec import codec
from streams import topics
from streams.ports.log import TopicPartition
from streams.runtime import metrics
from streams.runtime.loop import AgentLoop, Seat
from streams.runtime.worker import run_worker
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.fakelog import FakeBroker, FakeProducer
from tests.samples import SAMPLES
from tests.toys import factory
from tests.unit.runtime.driving import FAST, Copy, Tally, caught_up, check_copy, check_tally, publish, settings, until, worker


def grown(blocks: int = 6) -> ChainLog:
    chain = ChainLog()
    for n in range(blocks):
        chain.add(range(n % 4 + 1))
    return chain


async def test_blocks_become_outputs(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_stateless_agent_forwards_undo_and_final(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    chain.undo(2)
    chain.add([1, 2], fork="b")
    chain.finalize(3)
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Copy)]) as task:
        await until(lambda: caught_up(broker, "copy"), task)
    check_copy(broker, chain)


async def test_reorg_in_a_reorg_and_a_block_that_comes_back(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    chain.undo(3)
    chain.add([1, 1, 2], fork="b")
    chain.undo(2)
    chain.add([3], fork="c")
    chain.undo(1)
    chain.add([0, 1, 2], fork=0)  # the block that stood there first
    chain.undo(1)
    chain.add([3], fork="c")
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_restart_goes_on_where_it_stood(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    for step in range(4):
        async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
            await until(lambda: caught_up(broker, "tally"), task)
        check_tally(broker, chain)
        since = chain.sequence
        chain.undo(step + 1)
        chain.add([step, 1, 5], fork=step)
        chain.add([step])
        publish(broker, chain, since)


async def test_lost_local_state_is_rebuilt_from_the_log(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    chain.undo(2)
    chain.add([1, 2, 3], fork="b")
    publish(broker, chain)
    async with worker(broker, settings(tmp_path / "one"), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    since = chain.sequence
    chain.undo(3)
    chain.add([4, 5], fork="c")
    publish(broker, chain, since)
    async with worker(broker, settings(tmp_path / "two"), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_two_workers_share_partitions_and_take_over(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=4), ChainLog(partitions=4)
    config = settings(tmp_path)
    published = 0
    async with worker(broker, config, [factory(Tally)]) as first:
        for turn in range(5):
            for n in range(6):
                chain.add(range(n, n + 5), fork=turn)
            if turn % 2:
                chain.undo(4)
            publish(broker, chain, published)
            published = chain.sequence
            async with worker(broker, config, [factory(Tally)]) as second:
                chain.add(range(7))
                publish(broker, chain, published)
                published = chain.sequence
                await until(lambda: caught_up(broker, "tally"), second)
        await until(lambda: caught_up(broker, "tally"), first)
    check_tally(broker, chain)


async def test_what_a_rebalance_gives_back_is_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker, chain, started = FakeBroker(), grown(), []
    start = FakeProducer.start

    async def starts(self: FakeProducer) -> None:
        started.append(self.id)
        await start(self)

    monkeypatch.setattr(FakeProducer, "start", starts)
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Tally)], replace(FAST, poll_records=3)) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        for turn in range(4):
            since = chain.sequence
            for n in range(5):
                chain.add([n, turn, 7], fork=turn)
            chain.undo(turn)
            publish(broker, chain, since)
            await broker.rebalance("tally")
            await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)
    assert sorted(started) == ["tally-0", "tally-1"]


async def test_what_another_took_over_meanwhile_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was away for longer than it knows holds a partition that another owner had since."""
    broker, chain, config = FakeBroker(partitions=1), ChainLog(partitions=1), settings(tmp_path / "one")
    for n in range(4):
        chain.add([n, 1])
    publish(broker, chain)
    park = AgentLoop._park
    meanwhile = [0]

    async def away(self: AgentLoop, seat: Seat) -> None:
        await park(self, seat)
        if self._job.state_dir == config.state_dir and not meanwhile[0]:
            meanwhile[0] = 1
            group = broker.groups.pop("tally")
            since = chain.sequence
            chain.undo(2)
            chain.add([5, 6], fork="b")
            publish(broker, chain, since)
            async with worker(broker, settings(tmp_path / "two"), [factory(Tally)]) as other:
                await until(lambda: caught_up(broker, "tally"), other)
            broker.groups["tally"] = group

    monkeypatch.setattr(AgentLoop, "_park", away)
    fenced = metrics.REBUILDS.labels("tally", "FencedError")._value.get()
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        await broker.rebalance("tally")
        since = chain.sequence
        chain.add([1, 2, 3])
        publish(broker, chain, since)
        await until(lambda: caught_up(broker, "tally"), task)
    assert meanwhile == [1]
    assert metrics.REBUILDS.labels("tally", "FencedError")._value.get() == fenced, "it asked before it went on"
    check_tally(broker, chain)


async def test_undo_older_than_the_checkpoints_reads_the_log(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), ChainLog()
    for n in range(60):  # the ring holds 32
        chain.add([n % 5, 1])
    publish(broker, chain)
    config = settings(tmp_path)
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    since = chain.sequence
    chain.undo(50)
    chain.add([2, 3], fork="b")
    publish(broker, chain, since)
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_records_outside_blocks_are_folded_and_not_undone(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    command = codec().encode("MemoryCommand", {**SAMPLES["MemoryCommand"], "agent": b"z" * 20})
    broker.append(TopicPartition(topics.COMMANDS, 0), [(b"z" * 20, command)] * 3)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally", topics.TRANSACTIONS, topics.COMMANDS), task)
        since = chain.sequence
        chain.undo(2)
        publish(broker, chain, since)
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await asyncio.sleep(0.1)
    check_tally(broker, chain)


async def test_stop_before_anything_happened(tmp_path: Path) -> None:
    async with worker(FakeBroker(), settings(tmp_path), [factory(Tally), factory(Copy)]):
        pass


@pytest.mark.parametrize("poll", [1, 2, 3, 5])
async def test_small_polls_change_nothing(tmp_path: Path, poll: int) -> None:
    broker, chain = FakeBroker(), grown()
    chain.undo(3)
    chain.add([1, 1, 2], fork="b")
    publish(broker, chain)
    limits = replace(FAST, poll_records=poll, rewind_span=2)
    async with worker(broker, settings(tmp_path), [factory(Tally)], limits) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_a_graceful_stop_leaves_nothing_to_replay(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for n in range(6):
        chain.add([n, 1])
    publish(broker, chain)
    applied = 0

    class Counting(Tally):
        def apply(self, block, records):
            nonlocal applied
            applied += len(records)
            return super().apply(block, records)

    lazy = replace(FAST, state_seconds=60.0)
    async with worker(broker, settings(tmp_path), [factory(Counting)], lazy) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    async with worker(broker, settings(tmp_path), [factory(Counting)], lazy) as task:
        since = chain.sequence
        chain.add([1])
        publish(broker, chain, since)
        await until(lambda: caught_up(broker, "tally"), task)
    assert applied == 13
    check_tally(broker, chain)


async def test_no_broker_is_waited_for_and_the_stop_is_heard(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        config = settings(tmp_path)
        config.kafka.bootstrap = f"127.0.0.1:{taken.getsockname()[1]}"
        stop = asyncio.Event()
        task = asyncio.create_task(run_worker(config, [factory(Tally)], VERIFIER, SIGNER, stop))
        await asyncio.sleep(0.5)
        assert not task.done()
        stop.set()
        await asyncio.wait_for(task, 5)
