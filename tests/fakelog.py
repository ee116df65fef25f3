"""An in-memory log behind ``streams.ports.log``: transactions, read_committed, fencing, consumer groups with eager rebalances.

Control records take offsets, as on a real broker, so offsets have gaps. ``fault`` is called with the name of each step a client
takes; what it raises, the client raises. Steps: producer.start, begin, send, send_offsets, commit (nothing has happened yet),
committed (it has), read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.errors import FencedError, PositionLostError
from streams.ports.log import KeyValue, LogError, RebalanceListener, TopicPartition

OPEN, COMMITTED, ABORTED = "open", "committed", "aborted"


@dataclass(eq=False)
class Transaction:
    state: str = OPEN
    written: set[TopicPartition] = field(default_factory=set)
    offsets: dict[tuple[str, TopicPartition], int] = field(default_factory=dict)


class Entry(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    transaction: Transaction | None = None
    control: bool = False
    timestamp: int = 0


@dataclass(eq=False)
class Member:
    consumer: FakeConsumer
    listener: RebalanceListener


@dataclass(eq=False)
class Group:
    members: list[Member] = field(default_factory=list)
    rebalancing: asyncio.Lock = field(default_factory=asyncio.Lock)


class FakeBroker:
    """The log itself, shared by any number of clients. ``partitions``: of every topic."""

    def __init__(self, partitions: int = 2) -> None:
        self.partitions = partitions
        self.logs: dict[TopicPartition, list[Entry]] = {}
        self.first: dict[TopicPartition, int] = {}
        self.committed: dict[tuple[str, TopicPartition], int] = {}
        self.epochs: dict[str, int] = {}
        self.open: dict[str, Transaction] = {}
        self.groups: dict[str, Group] = {}
        self.fault: Callable[[str], None] = lambda _: None
        self.now: Callable[[], float] = time.time
        self.changed = asyncio.Event()

    def append(self, target: TopicPartition, records: Iterable[KeyValue], transaction: Transaction | None = None) -> None:
        """Writes records, outside any transaction if none is given."""
        log = self.logs.setdefault(target, [])
        for key, value in records:
            log.append(Entry(len(log), key, value, transaction, timestamp=int(1000 * self.now())))
        self._wake()

    def end(self, transaction_id: str, state: str) -> None:
        transaction = self.open.pop(transaction_id)
        transaction.state = state
        for target in sorted(transaction.written):
            log = self.logs.setdefault(target, [])
            log.append(Entry(len(log), None, None, transaction, control=True))
        if state == COMMITTED:
            self.committed |= transaction.offsets
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def stable(self, target: TopicPartition) -> int:
        """Last stable offset."""
        log = self.logs.get(target, [])
        return next((e.offset for e in log if e.transaction and e.transaction.state == OPEN), len(log))

    def visible(self, target: TopicPartition, start: int, stop: int) -> list[Entry]:
        log = self.logs.get(target, [])[start : min(stop, self.stable(target))]
        return [e for e in log if not e.control and (e.transaction is None or e.transaction.state == COMMITTED)]

    def read(self, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
        """Everything a read_committed reader sees."""
        target = TopicPartition(topic, partition)
        return [(e.key, e.value) for e in self.visible(target, self.first.get(target, 0), 1 << 60)]

    def cut(self, target: TopicPartition, first: int) -> None:
        """Retention: the log begins at ``first`` now."""
        self.first[target] = first

    # The client interface.
    def consumer(self, group: str, topics: Sequence[str]) -> FakeConsumer:
        return FakeConsumer(self, group, topics)

    def reader(self) -> FakeReader:
        return FakeReader(self)

    def producer(self, group: str, partition: int) -> FakeProducer:
        return FakeProducer(self, group, partition)

    async def rebalance(self, name: str) -> None:
        """Eager: everything is revoked, then shared out by range."""
        group = self.groups[name]
        async with group.rebalancing:
            members = list(group.members)
            for member in members:
                await member.listener.revoked(list(member.consumer.assigned))
                member.consumer.assigned = {}
            share = -(-self.partitions // max(1, len(members)))
            for index, member in enumerate(members):
                numbers = range(index * share, min(self.partitions, (index + 1) * share))
                held = [TopicPartition(topic, n) for topic in member.consumer.topics for n in numbers]
                member.consumer.assigned = {p: self.committed.get((name, p), 0) for p in held}
                member.consumer.paused = set()
                await member.listener.assigned(held)


class FakeConsumer:
    def __init__(self, broker: FakeBroker, group: str, topics: Sequence[str]) -> None:
        self.broker = broker
        self.group = group
        self.topics = topics
        self.assigned: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.held: set[TopicPartition] = set()
        self._member: Member | None = None
        self._joining: asyncio.Task[None] | None = None

    async def start(self, listener: RebalanceListener) -> None:
        self._member = Member(self, listener)
        self.broker.groups.setdefault(self.group, Group()).members.append(self._member)
        self._joining = asyncio.create_task(self.broker.rebalance(self.group))

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Entry]]:
        deadline = asyncio.get_running_loop().time() + timeout_ms / 1000
        while True:
            changed = self.broker.changed
            async with self.broker.groups[self.group].rebalancing:
                pass
            if found := self._fetch(max_records):
                return found
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return {}
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), min(left, 0.02))

    def _fetch(self, max_records: int) -> dict[TopicPartition, list[Entry]]:
        found: dict[TopicPartition, list[Entry]] = {}
        for target, position in self.assigned.items():
            if target in self.paused | self.held or max_records <= 0:
                continue
            first = self.broker.first.get(target, 0)
            if position < first:
                raise PositionLostError(f"{target.topic}/{target.partition}: {position} is due, the log begins at {first}")
            entries = self.broker.visible(target, position, 1 << 60)[:max_records]
            if entries:
                found[target] = entries
                self.assigned[target] = entries[-1].offset + 1
                max_records -= len(entries)
        return found

    def _check(self, partitions: Iterable[TopicPartition]) -> None:
        if not set(partitions) <= self.assigned.keys():
            raise LogError("not assigned")

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._check([partition])
        self.assigned[partition] = offset

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self._check(partitions)
        self.paused |= set(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self._check(partitions)
        self.paused -= set(partitions)

    def hold(self, partitions: Collection[TopicPartition]) -> None:
        self.held |= set(partitions)

    def release(self, partitions: Collection[TopicPartition]) -> None:
        self.held -= set(partitions)
        self.broker._wake()

    def caught_up(self, partition: TopicPartition) -> bool:
        return partition in self.assigned and not self.broker.visible(partition, self.assigned[partition], 1 << 60)

    async def committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int | None]:
        await asyncio.sleep(0)
        return {p: self.broker.committed.get((self.group, p)) for p in partitions}

    async def stop(self) -> None:
        if self._member is None:
            return
        if self._joining is not None:
            await self._joining
        group = self.broker.groups[self.group]
        async with group.rebalancing:
            group.members.remove(self._member)
            self.assigned, self._member = {}, None
        await self.broker.rebalance(self.group)


class FakeReader:
    def __init__(self, broker: FakeBroker) -> None:
        self.broker = broker

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        self.broker.fault("read")
        return {p: (self.broker.first.get(p, 0), len(self.broker.logs.get(p, []))) for p in partitions}

    async def read_range(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[Sequence[Entry]]:
        self.broker.fault("read")
        if start < self.broker.first.get(partition, 0):
            raise PositionLostError(f"{partition.topic}/{partition.partition} no longer holds offset {start}")
        for _ in range(200):
            if self.broker.stable(partition) >= stop:
                break
            await asyncio.sleep(0.01)
        else:
            raise LogError("a transaction stays open")
        entries = self.broker.visible(partition, start, stop)
        for at in range(0, len(entries), 7):  # odd on purpose: batches end inside blocks
            await asyncio.sleep(0)
            yield entries[at : at + 7]

    async def close(self) -> None:
        pass


class FakeProducer:
    def __init__(self, broker: FakeBroker, group: str, partition: int) -> None:
        self.broker = broker
        self.group = group
        self.id = f"{group}-{partition}"
        self._epoch = -1

    async def _step(self, name: str) -> None:
        await asyncio.sleep(0)
        self.broker.fault(name)
        if self.broker.epochs.get(self.id, -1) != self._epoch:
            raise FencedError(f"{self.id} is fenced")

    async def start(self) -> None:
        await asyncio.sleep(0)
        self.broker.fault("producer.start")
        if self.id in self.broker.open:
            self.broker.end(self.id, ABORTED)
        self._epoch = self.broker.epochs[self.id] = self.broker.epochs.get(self.id, -1) + 1

    async def begin(self) -> None:
        await self._step("begin")
        assert self.id not in self.broker.open, "a transaction is open"
        self.broker.open[self.id] = Transaction()

    async def send(self, outputs: Mapping[TopicPartition, Iterable[KeyValue]]) -> None:
        for target, records in outputs.items():
            await self._step("send")
            transaction = self.broker.open[self.id]
            transaction.written.add(target)
            self.broker.append(target, records, transaction)

    async def send_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        await self._step("send_offsets")
        self.broker.open[self.id].offsets |= {(self.group, p): offset for p, offset in offsets.items()}

    async def commit(self) -> None:
        await self._step("commit")
        self.broker.end(self.id, COMMITTED)
        self.broker.fault("committed")

    async def abort(self) -> None:
        await self._step("abort")
        self.broker.end(self.id, ABORTED)

    async def close(self) -> None:
        await asyncio.sleep(0)
