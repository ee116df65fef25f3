"""A replay takes blocks back as an undo does and does them again; everything is as it was, wherever it is interrupted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from schemas.codec import codec
from streams import topics
from streams.agents.base import StreamAgent
from streams.core.replay import Phase, Replay, due
from streams.ports.log import LogError, TopicPartition
from streams.runtime import metrics
from streams.runtime.replays import read_replays
from tests.chainlog import ChainLog
from tests.fakelog import FakeBroker
from tests.sim.agents import Relay
from tests.toys import expected_counts, factory, table
from tests.unit.runtime.driving import (
    FAST,
    Copy,
    Tally,
    caught_up,
    check_copy,
    check_tally,
    publish,
    settings,
    until,
    worker,
)

LIMITS = replace(FAST, replay_seconds=0.02, replay_blocks=3, survey_blocks=5)


def ask(broker: FakeBroker, agent: str, block: int, name: str = "r1", partitions: tuple[int, ...] = (0, 1)) -> None:
    for number in partitions:
        request = Replay(agent, number, name, Phase.REQUESTED, block)
        broker.append(TopicPartition(topics.REPLAYS, number), [(request.key, codec().encode("Replay", request.record()))])


async def phases(broker: FakeBroker, agent: str) -> list[Phase]:
    found = []
    for number in range(broker.partitions):
        _, status = await read_replays(broker.reader(), agent, number)
        found += [status.phase] if status else []
    return found


def over(broker: FakeBroker, agent: str, phase: Phase = Phase.DONE) -> bool:
    rows = [table(broker.read(topics.REPLAYS, n)).get(f"{agent}/{n}/status".encode()) for n in range(broker.partitions)]
    return all(row is not None and row["phase"] == phase for row in rows)


def grown(blocks: int = 12) -> ChainLog:
    chain = ChainLog()
    for n in range(blocks):
        chain.add([n % 3, 4, 5], fork=n)
        if n % 4 == 3:
            chain.undo(2)
            chain.add([7], fork=f"again {n}")
            chain.finalize(max(1, chain.head.number - 5))
    return chain


def undone(broker: FakeBroker, topic: str, partition: int) -> int:
    kinds = [codec().decode(value) for _, value in broker.read(topic, partition) if value]
    return sum(len(record["removed"]) for kind, record in kinds if kind == "Marker")


def at_rest(broker: FakeBroker) -> bool:
    return caught_up(broker, "tally") and caught_up(broker, "relay", topics.INTENTS)


def check_relay(broker: FakeBroker, chain: ChainLog) -> None:
    for partition in range(broker.partitions):
        rows = {key: row["count"] for key, row in table(broker.read(topics.MEMORY_STATE, partition)).items()}
        assert rows == dict(expected_counts(chain, partition))


@pytest.mark.parametrize("block", [0, 1, 2, 5, 7, 9])
async def test_everything_is_taken_back_and_done_again(tmp_path: Path, block: int) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    before = sum(undone(broker, topics.TRANSACTIONS, n) for n in range(2))
    async with worker(broker, settings(tmp_path), [factory(Tally), factory(Relay)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        ask(broker, "tally", block)
        await until(lambda: over(broker, "tally"), task)
        await until(lambda: at_rest(broker), task)
        check_tally(broker, chain)
        check_relay(broker, chain)
        published = len(chain.steps)
        chain.undo(3)  # work goes on, below what was taken back too
        chain.add([1, 2], fork="later")
        publish(broker, chain, published)
        await until(lambda: at_rest(broker), task)
    check_tally(broker, chain)
    check_relay(broker, chain)
    assert sum(undone(broker, topics.INTENTS, n) for n in range(2)) > before


@pytest.mark.parametrize("spec", [Copy, Relay])
async def test_agents_without_state_or_without_a_log(tmp_path: Path, spec: type[StreamAgent]) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    agents = [factory(Copy), factory(Relay)]
    async with worker(broker, settings(tmp_path), agents, LIMITS) as task:
        await until(lambda: caught_up(broker, "copy") and caught_up(broker, "relay", topics.INTENTS), task)
        ask(broker, spec.name, 4)
        await until(lambda: over(broker, spec.name), task)
        await until(lambda: caught_up(broker, "copy") and caught_up(broker, "relay", topics.INTENTS), task)
    check_copy(broker, chain)
    check_relay(broker, chain)


async def test_one_partition_alone_and_twice(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Tally), factory(Relay)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        for name in ("a", "b"):
            ask(broker, "tally", 3, name, partitions=(1,))

            def finished(name: str = name) -> bool:
                row = table(broker.read(topics.REPLAYS, 1)).get(b"tally/1/status")
                return row is not None and (row["id"], row["phase"]) == (name, "DONE")

            await until(finished, task)
        await until(lambda: caught_up(broker, "relay", topics.INTENTS), task)
    check_tally(broker, chain)
    check_relay(broker, chain)
    assert await phases(broker, "tally") == [Phase.DONE]


async def test_what_cannot_be_done_is_refused_and_stops_nothing(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Tally)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        ask(broker, "tally", 1_000)
        await until(lambda: over(broker, "tally", Phase.REFUSED), task)
        published = len(chain.steps)
        chain.add([1])
        publish(broker, chain, published)
        await until(lambda: caught_up(broker, "tally"), task)
    _, status = await read_replays(broker.reader(), "tally", 0)
    assert status is not None and "block 1000 is not in the log yet" in status.reason
    check_tally(broker, chain)


@dataclass
class FailOnce:
    """Fails the ``step``-th step after ``on`` was set."""

    step: int
    on: bool = False
    seen: int = 0

    def __call__(self, name: str) -> None:
        self.seen += self.on
        if self.on and self.seen == self.step:
            raise LogError(f"{name} failed")


async def test_an_error_at_every_step(tmp_path: Path) -> None:
    """Every third step of the log that a replay takes fails once, in a run of its own; the simulator takes the others."""
    for step in count(1, 3):
        broker, chain, fault = FakeBroker(), grown(4), FailOnce(step)
        publish(broker, chain)
        broker.fault = fault
        async with worker(broker, settings(tmp_path / str(step)), [factory(Tally), factory(Relay)], LIMITS) as task:
            await until(partial(at_rest, broker), task)
            ask(broker, "tally", 2)
            fault.on = True
            await until(partial(over, broker, "tally"), task)
            fault.on = False
            await until(partial(at_rest, broker), task)
        check_tally(broker, chain)
        check_relay(broker, chain)
        if fault.seen < step:
            break


def rebuilds() -> float:
    """From the beginning of the log, so far."""
    return metrics.REBUILDS.labels("tally", "state")._value.get()


@pytest.mark.parametrize("lost", [True, False])
async def test_another_worker_goes_on_with_it(tmp_path: Path, lost: bool) -> None:
    """The worker ends as soon as the first blocks are taken back, without having written its state; the next has its disk, or
    none: what is past the committed position is taken back too, and only lost state is built from the beginning.
    """
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    async with worker(broker, settings(tmp_path / "one"), [factory(Tally)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)

        def fault(name: str) -> None:
            if name == "committed":
                raise LogError("no answer")

        ask(broker, "tally", 2)
        broker.fault = fault
        await until(lambda: any(key == b"tally/0/status" for key, _ in broker.read(topics.REPLAYS, 0)), task)
    broker.fault = lambda _: None
    before = rebuilds()
    async with worker(broker, settings(tmp_path / ("two" if lost else "one")), [factory(Tally)], LIMITS) as task:
        await until(lambda: over(broker, "tally") and caught_up(broker, "tally"), task)
    check_tally(broker, chain)
    assert (rebuilds() > before) is lost


def test_what_is_due() -> None:
    request = Replay("a", 0, "new", Phase.REQUESTED, 7)
    older = Replay("a", 0, "old", Phase.REDOING, 5, goal=90, start=50)
    assert due(None, None) is None
    assert due(request, None) == request
    assert due(request, older) == replace(request, goal=90)
    assert due(request, older.done()) == request
    assert due(request, replace(older, id="new")) == replace(older, id="new")
    assert due(request, replace(older, id="new").done()) is None
    assert due(None, older) == older
    assert Replay.of(older.record()) == older
