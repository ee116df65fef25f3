"""Standbys over an in-memory log: they follow, hand over, stay out of live state, and harm nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from prometheus_client import REGISTRY

from schemas.codec import codec
from streams import topics
from streams.core.block import BlockRef
from streams.core.checkpoint import TIP
from streams.errors import StoreError
from streams.ports.log import LogError, TopicPartition
from streams.runtime import metrics
from streams.runtime.checkpoints import decode_slots
from streams.runtime.job import AgentFactory
from streams.runtime.state import StandbyStore, StateStore, state_path
from streams.settings import Settings
from tests.chainlog import ChainLog
from tests.fakelog import FakeBroker
from tests.samples import SAMPLES
from tests.toys import POISON, Tally, expected_counts, factory
from tests.unit.runtime.driving import FAST, caught_up, check_tally, publish, settings, until, worker

QUICK = replace(FAST, standby_seconds=0.01)


def standby(folder: Path) -> Settings:
    found = settings(folder)
    found.worker.standby, found.kafka.partitions = True, 2
    return found


def metric(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"monmouth_runtime_{name}", {"agent": "tally", **labels})


def grown(blocks: int = 6) -> ChainLog:
    chain = ChainLog()
    for n in range(blocks):
        chain.add(range(n % 4 + 1))
    return chain


class Log:
    """A log, the chain in it, and what was published of it."""

    def __init__(self, chain: ChainLog | None = None) -> None:
        self.broker, self.chain, self.published = FakeBroker(), chain or grown(), 0
        self.publish()

    def publish(self) -> None:
        publish(self.broker, self.chain, self.published)
        self.published = self.chain.sequence

    def done(self) -> bool:
        return caught_up(self.broker, "tally")

    def position(self, partition: int) -> int:
        return self.broker.committed.get(("tally", TopicPartition(topics.TRANSACTIONS, partition)), 0)


class Folding(Tally):
    """Notes what it folds in, by the state it folds it into."""

    folded: list[tuple[int, str, int]]

    def apply(self, block, records):  # type: ignore[no-untyped-def]
        self.folded.append((self.partition, self.where, len(records)))
        return super().apply(block, records)


def folding(where: str, folded: list[tuple[int, str, int]]) -> AgentFactory:
    kind = type("Folding", (Folding,), {"folded": folded, "where": where})
    return AgentFactory(kind, kind)


def positions(folder: Path, partition: int) -> dict[str, int]:
    """Where the state on a disk stands. Only for folders nobody uses."""
    store = StateStore(state_path(folder, "tally", partition))
    try:
        tip = decode_slots(store.slots()).get(TIP)
        return dict(tip.offsets) if tip is not None else {}
    finally:
        store.close()


def followed(log: Log, *partitions: int) -> bool:
    """Whether standbys looked, and found nothing they lack."""
    return log.done() and all(metric("standby_lag", partition=str(n)) == 0 for n in partitions)


async def follow(log: Log, task: asyncio.Task[None]) -> None:
    """Until a look that begins after everything was committed finds nothing that is lacking."""
    await until(lambda: log.done() and any(metric("standby_lag", partition=str(n)) is not None for n in range(2)), task)
    theirs = [n for n in range(2) if metric("standby_lag", partition=str(n)) is not None]
    for n in theirs:
        metrics.STANDBY_LAG.labels("tally", str(n)).set(-1)
    await until(lambda: followed(log, *theirs), task)


def rebuilds() -> float:
    return sum(metric("rebuilds_total", reason=reason) or 0 for reason in ("state", "digest", "StateMismatchError"))


async def two(log: Log, tmp_path: Path, then: Callable[[asyncio.Task[None]], Any]) -> None:
    """An owner of both partitions, and a worker on another disk that joins when one is taken from the first."""
    async with worker(log.broker, settings(tmp_path / "one"), [factory(Tally)], QUICK) as first:
        await until(log.done, first)
        async with worker(log.broker, standby(tmp_path / "two"), [factory(Tally)], QUICK) as second:
            await follow(log, second)
            await then(second)


async def test_it_follows_what_the_owner_commits_and_takes_over_without_reading_again(tmp_path: Path) -> None:
    log, folded = Log(), []  # type: ignore[var-annotated]
    async with worker(log.broker, standby(tmp_path / "two"), [folding("two", folded)], QUICK) as second:
        async with worker(log.broker, settings(tmp_path / "one"), [folding("one", folded)], QUICK) as first:
            await until(log.done, first)
            held = log.broker.groups["tally"].members[1].consumer
            for n in range(5):
                log.chain.add([n, n + 1, 3])
            log.publish()
            await until(log.done, first)
            await until(lambda: bool(held.assigned), first)
            await follow(log, second)
            theirs = {p.partition for p in held.assigned}
            before, built = len(folded), rebuilds()
        await until(lambda: len(log.broker.groups["tally"].members[0].consumer.assigned) == 4, second)
        log.chain.add([1, 2])
        log.publish()
        await until(log.done, second)
        assert theirs
        assert all(metric("standby_lag", partition=str(n)) is None for n in range(2)), "no standby beside an owner"
        assert rebuilds() == built
        assert {where for _, where, _ in folded[before:]} == {"two"}
        assert sum(size for _, _, size in folded[before:]) == 2, "the new block and nothing before it"
    check_tally(log.broker, log.chain)
    assert all(metric("standby_lag", partition=str(n)) is None for n in range(2))


async def test_a_reorg_is_followed(tmp_path: Path) -> None:
    log = Log()

    async def then(second: asyncio.Task[None]) -> None:
        for depth in (1, 3, 5):
            log.chain.undo(depth)
            for n in range(depth + 1):
                log.chain.add([n, 2], fork=depth)
            log.publish()
            await follow(log, second)

    failures = metric("standby_failures_total", reason="StateMismatchError")
    await two(log, tmp_path, then)
    check_tally(log.broker, log.chain)
    ends = [positions(tmp_path / "two", n)[topics.TRANSACTIONS] for n in range(2)]
    assert ends == [log.position(n) for n in range(2)]
    for n in range(2):
        store = StateStore(state_path(tmp_path / "two", "tally", n))
        assert {key[1:]: int(value) for key, value in store.scan(b"t")} == dict(expected_counts(log.chain, n))
        store.close()
    assert metric("standby_failures_total", reason="StateMismatchError") == failures


async def test_poison_is_passed_by(tmp_path: Path) -> None:
    log = Log()

    async def then(second: asyncio.Task[None]) -> None:
        for part in range(2):
            record = {**SAMPLES["MemoryCommand"], "content": POISON}
            log.broker.append(TopicPartition(topics.COMMANDS, part), [(b"k", codec().encode("MemoryCommand", record))])
        log.chain.add([1, 2, 3, 4])
        log.publish()
        await until(lambda: caught_up(log.broker, "tally", topics.TRANSACTIONS, topics.COMMANDS), second)
        await until(lambda: (metric("standby_failures_total", reason="PoisonError") or 0) > 0, second)
        await until(lambda: followed(log, 0) or followed(log, 1), second)

    await two(log, tmp_path, then)
    check_tally(log.broker, log.chain)
    assert len(log.broker.read(topics.DLQ, 0)) == 2


async def test_state_of_a_live_owner_is_left_alone(tmp_path: Path) -> None:
    log, folded = Log(), []  # type: ignore[var-annotated]
    async with (
        worker(log.broker, standby(tmp_path), [folding("one", folded)], QUICK) as first,
        worker(log.broker, standby(tmp_path), [folding("two", folded)], QUICK) as second,
    ):
        await until(log.done, first)
        await until(lambda: all(m.consumer.assigned for m in log.broker.groups["tally"].members), second)
        before = len(folded)
        failures = metric("rebuilds_total", reason="StaleStateError")
        for n in range(10):
            log.chain.add([n, 2])
            log.publish()
            await until(log.done, second)
            await asyncio.sleep(0.02)
        assert len({(partition, where) for partition, where, _ in folded[before:]}) == 2, "each partition in one place"
        assert metric("rebuilds_total", reason="StaleStateError") == failures
    check_tally(log.broker, log.chain)


class Troubled(FakeBroker):
    """Fails reads now and then; a standby reads the most."""

    def __init__(self) -> None:
        super().__init__()
        self.random = Random(7)
        self.fault = self._fault

    def _fault(self, step: str) -> None:
        if step == "read" and self.random.random() < 0.2:
            raise LogError("no answer")


async def test_its_troubles_do_not_stop_the_worker(tmp_path: Path) -> None:
    log = Log()

    class Shaky(Tally):
        """A defect that shows on one disk only."""

        def apply(self, block: BlockRef | None, records):  # type: ignore[no-untyped-def]
            if self.shaky:
                raise ZeroDivisionError
            return super().apply(block, records)

        shaky = False

    class Broken(Shaky):
        shaky = True

    spec = AgentFactory(Shaky, Shaky, follow=Broken)
    async with worker(log.broker, settings(tmp_path / "one"), [factory(Tally)], QUICK) as first:
        await until(log.done, first)
        async with worker(log.broker, standby(tmp_path / "two"), [spec], QUICK) as second:
            await until(lambda: (metric("standby_failures_total", reason="ZeroDivisionError") or 0) > 0, second)
            log.chain.add([1, 2])
            log.publish()
            await until(log.done, second)
    check_tally(log.broker, log.chain)


async def test_an_instance_that_follows_claims_nothing(tmp_path: Path) -> None:
    log, claims, made = Log(), [], []  # type: ignore[var-annotated]

    async def claim(partition: int) -> None:
        claims.append(partition)

    def follow(partition: int, state: Any) -> Tally:
        made.append(partition)
        return Tally(partition, state)

    async with worker(log.broker, settings(tmp_path / "one"), [factory(Tally)], QUICK) as first:
        await until(log.done, first)
        spec = AgentFactory(Tally, Tally, claim=claim, follow=follow)
        async with worker(log.broker, standby(tmp_path / "two"), [spec], QUICK) as second:
            await until(lambda: bool(made) and (followed(log, 0) or followed(log, 1)), second)
            owned = {p.partition for p in log.broker.groups["tally"].members[1].consumer.assigned}
            assert set(claims) == owned
            assert set(made).isdisjoint(owned)
    check_tally(log.broker, log.chain)


async def test_rebalances_hand_partitions_back_and_forth(tmp_path: Path) -> None:
    log = Log()
    async with worker(log.broker, standby(tmp_path / "one"), [factory(Tally)], QUICK) as first:
        for turn in range(6):
            async with worker(log.broker, standby(tmp_path / "two"), [factory(Tally)], QUICK) as second:
                for n in range(4):
                    log.chain.add([n, turn, 3], fork=turn)
                    log.publish()
                    await asyncio.sleep(0.01 * (turn % 3))
                await until(log.done, second)
            if turn % 2:
                log.chain.undo(3)
                log.publish()
            await until(log.done, first)
    check_tally(log.broker, log.chain)


async def test_the_log_troubles_it_and_it_goes_on(tmp_path: Path) -> None:
    log = Log()
    log.broker = Troubled()
    log.published = 0
    log.publish()
    async with worker(log.broker, standby(tmp_path / "one"), [factory(Tally)], QUICK) as first:
        await until(log.done, first)
        async with worker(log.broker, standby(tmp_path / "two"), [factory(Tally)], QUICK) as second:
            for n in range(12):
                log.chain.add([n, 1, 2])
                log.publish()
                await until(log.done, second)
    check_tally(log.broker, log.chain)


async def test_one_that_cannot_write_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, left = Log(), [2]
    commit = StateStore.commit

    def fails(self: StateStore, slots: Any, guard: str) -> None:
        if isinstance(self, StandbyStore) and left[0]:
            left[0] -= 1
            raise StoreError("the disk is full")
        commit(self, slots, guard)

    monkeypatch.setattr(StateStore, "commit", fails)

    async def then(second: asyncio.Task[None]) -> None:
        assert left == [0]

    await two(log, tmp_path, then)
    check_tally(log.broker, log.chain)


async def test_it_lacks_what_it_has_not_read(tmp_path: Path) -> None:
    """The measure of its lag can be other than nothing."""
    log = Log()
    slow = replace(QUICK, standby_seconds=0.3)
    async with worker(log.broker, settings(tmp_path / "one"), [factory(Tally)], QUICK) as first:
        await until(log.done, first)
        async with worker(log.broker, standby(tmp_path / "two"), [factory(Tally)], slow) as second:
            await follow(log, second)
            log.chain.add(range(40))
            log.publish()
            await until(lambda: any((metric("standby_lag", partition=str(n)) or 0) > 10 for n in range(2)), second)
            await follow(log, second)


async def test_it_is_stopped_and_taken_over_in_the_middle_of_its_work(tmp_path: Path) -> None:
    """What it had not written is read again; what it had written counts."""
    log = Log(grown(60))
    slow = replace(QUICK, standby_rest=20.0)

    class Dawdling(Tally):
        def apply(self, block, records):  # type: ignore[no-untyped-def]
            time.sleep(0.001)
            return super().apply(block, records)

    async def middle(folder: Path) -> None:
        """Until something was written, and before all was."""
        place = state_path(folder, "tally", 0), state_path(folder, "tally", 1)
        await until(lambda: any((path / "standby.lock").exists() for path in place))
        await asyncio.sleep(0.1)

    async with worker(log.broker, settings(tmp_path / "one"), [factory(Tally)], QUICK) as first:
        await until(log.done, first)
        async with worker(log.broker, standby(tmp_path / "two"), [AgentFactory(Tally, Tally, follow=Dawdling)], slow):
            await middle(tmp_path / "two")
        started = time.monotonic()
    async with worker(log.broker, settings(tmp_path / "one"), [factory(Tally)], QUICK) as first:
        await until(log.done, first)
        spec = AgentFactory(Tally, Tally, follow=Dawdling)
        async with worker(log.broker, standby(tmp_path / "three"), [spec], slow) as second:
            await middle(tmp_path / "three")
            log.chain.undo(20)
            log.chain.add([1, 2, 3], fork="b")
            log.publish()
            await log.broker.rebalance("tally")
            await until(log.done, second)
    assert time.monotonic() - started < 30
    check_tally(log.broker, log.chain)
    async with worker(log.broker, settings(tmp_path / "three"), [factory(Tally)], QUICK) as third:
        log.chain.add([4])
        log.publish()
        await until(log.done, third)
    check_tally(log.broker, log.chain)


async def test_one_that_went_wrong_is_noticed_and_built_anew(tmp_path: Path) -> None:
    """Its digest is not what the owner committed."""
    log = Log()

    class Forgetful(Tally):
        def apply(self, block, records):  # type: ignore[no-untyped-def]
            return super().apply(block, records[1:])

    spec = AgentFactory(Tally, Tally, follow=Forgetful)
    async with worker(log.broker, standby(tmp_path / "two"), [spec], QUICK) as second:
        async with worker(log.broker, settings(tmp_path / "one"), [factory(Tally)], QUICK) as first:
            await until(log.done, first)
            await until(lambda: len(log.broker.groups["tally"].members[1].consumer.assigned) == 2, first)
            for n in range(6):
                log.chain.add([1, n, 3])
                log.publish()
                await until(log.done, first)
            await follow(log, second)
            before = rebuilds()
        log.chain.add([1, 2])
        log.publish()
        await until(log.done, second)
    check_tally(log.broker, log.chain)
    assert rebuilds() > before
