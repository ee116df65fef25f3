"""``streams.ports.log`` on the simulated broker, for one process: every call is a point of I/O and may fail, clearly or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from streams.ports.log import KeyValue, LogError, RebalanceListener, TopicPartition
from tests.sim.broker import Broker, Entry, Transaction
from tests.sim.group import Group, Member
from tests.sim.process import Process, current, outside

EPSILON = 1e-6
"""Seconds; less than this is no time, for a clock that moves from timer to timer."""


class Faults:
    """When a call fails. ``on`` False ends all faults."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.on = True

    def hit(self, chance: float) -> bool:
        return self.on and chance > 0 and self._broker.random.random() < chance

    def fail(self, what: str) -> None:
        """Raises LogError now and then, and where the process is cut off."""
        self.reach(what)
        if self.hit(self._broker.parameters.broker_errors):
            current().world.note(current().name, f"error at {what}")
            raise LogError(what)

    def reach(self, what: str) -> None:
        """Raises LogError if the process is cut off."""
        if current().cut_since is not None:
            raise LogError(f"{what}: no connection")


class SimCluster:
    """Broker, groups and faults: what clients share."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.faults = Faults(broker)
        self.groups: dict[str, Group] = {}

    def group(self, name: str) -> Group:
        if name not in self.groups:
            self.groups[name] = Group(name, self.broker)
        return self.groups[name]


class SimClient:
    """The LogClient of one process."""

    def __init__(self, cluster: SimCluster, process: Process) -> None:
        self._cluster = cluster
        self._process = process

    def consumer(self, group: str, topics: Sequence[str]) -> SimConsumer:
        return SimConsumer(self._cluster, self._process, group, topics)

    def reader(self) -> SimReader:
        return SimReader(self._cluster, self._process)

    def producer(self, group: str, partition: int) -> SimProducer:
        return SimProducer(self._cluster, self._process, group, f"{group}-{partition}")


class SimConsumer:
    def __init__(self, cluster: SimCluster, process: Process, group: str, topics: Sequence[str]) -> None:
        self._cluster = cluster
        self._broker = cluster.broker
        self._process = process
        self._group = group
        self.topics = topics
        self.assigned: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._held: set[TopicPartition] = set()
        self._member: Member | None = None
        self._listener: RebalanceListener | None = None

    async def start(self, listener: RebalanceListener) -> None:
        await self._process.io(f"consumer.start {self._group}")
        self._cluster.faults.fail("consumer.start")
        self._listener = listener
        self._join()

    def _join(self) -> None:
        assert self._listener is not None
        self._member = Member(self, self._listener, self._process)
        self._cluster.group(self._group).join(self._member)

    async def revoke(self, member: Member) -> None:
        """Runs in this process: everything is given up, unless it has joined anew since."""
        await self._process.io(f"revoke {self._group}")
        await self._process.reached()
        if member is not self._member:
            return
        await member.listener.revoked(list(self.assigned))
        self.assigned = {}

    async def assign(self, member: Member, held: Sequence[TopicPartition]) -> None:
        """Runs in this process: these are held from now on."""
        await self._process.io(f"assign {self._group} {sorted({p.partition for p in held})}")
        await self._process.reached()
        if member is not self._member or member.out.is_set():
            return
        self.assigned = {p: self._broker.committed.get((self._group, p), 0) for p in held}
        self._paused = set()
        await member.listener.assigned(held)
        member.free.set()

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Entry]]:
        deadline = asyncio.get_running_loop().time() + timeout_ms / 1000
        await self._process.io(f"poll {self._group}")
        self._cluster.faults.fail("poll")
        while True:
            changed = self._broker.changed
            if self._process.cut_since is None:
                await self._settled()
                if found := self._fetch(max_records):  # no await from here on: it belongs to who is seated now
                    return found
            left = deadline - asyncio.get_running_loop().time()
            if left <= EPSILON:
                return {}
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), left)

    async def _settled(self) -> None:
        """Waits for a rebalance under way; joins again if the session ended."""
        while True:
            member = self._member
            assert member is not None
            await member.free.wait()
            if not member.out.is_set():
                return
            await self.revoke(member)
            self._join()

    def _fetch(self, max_records: int) -> dict[TopicPartition, list[Entry]]:
        found: dict[TopicPartition, list[Entry]] = {}
        random = self._broker.random
        targets = [target for target in self.assigned if target not in self._paused | self._held]
        random.shuffle(targets)
        for target in targets:
            if self._cluster.faults.hit(self._broker.parameters.late):
                continue
            position = self.assigned[target]
            ready = list(self._broker.log(target).visible(position, position + 4 * max_records))[:max_records]
            if not ready:
                self.assigned[target] = max(position, min(position + 4 * max_records, self._broker.log(target).stable))
                continue
            entries = ready[: random.randint(1, len(ready))] if random.random() < 0.3 else ready
            found[target] = entries
            self.assigned[target] = entries[-1].offset + 1
            max_records -= len(entries)
            if max_records <= 0:
                break
        return found

    def _check(self, partitions: Iterable[TopicPartition]) -> None:
        self._process.check()
        if not set(partitions) <= self.assigned.keys():
            raise LogError("not assigned")

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._check([partition])
        self.assigned[partition] = offset

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self._check(partitions)
        self._paused |= set(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self._check(partitions)
        self._paused -= set(partitions)

    def hold(self, partitions: Collection[TopicPartition]) -> None:
        self._held |= set(partitions)

    def release(self, partitions: Collection[TopicPartition]) -> None:
        self._held -= set(partitions)
        self._broker.wake()

    def caught_up(self, partition: TopicPartition) -> bool:
        return partition in self.assigned and self.assigned[partition] >= self._broker.log(partition).stable

    async def committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int | None]:
        await self._process.io(f"committed {self._group}")
        self._cluster.faults.fail("committed")
        found = {p: self._broker.committed.get((self._group, p)) for p in partitions}
        await self._process.io(f"committed {self._group} done")
        return found

    async def stop(self) -> None:
        member, self._member = self._member, None
        self.assigned = {}
        if member is not None and not self._process.dead:
            self._cluster.group(self._group).leave(member)


class SimReader:
    def __init__(self, cluster: SimCluster, process: Process) -> None:
        self._cluster = cluster
        self._broker = cluster.broker
        self._process = process

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        await self._process.io("bounds")
        self._cluster.faults.fail("bounds")
        found = {p: (0, len(self._broker.log(p).entries)) for p in partitions}
        await self._process.io("bounds done")
        return found

    async def read_range(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[Sequence[Entry]]:
        await self._process.io(f"read {partition.topic}/{partition.partition} {start} {stop}")
        log = self._broker.log(partition)
        deadline = asyncio.get_running_loop().time() + 60
        while log.stable < stop:
            if asyncio.get_running_loop().time() > deadline:
                raise LogError(f"{partition}: a transaction stays open")
            changed = self._broker.changed
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), 1)
        entries = list(log.visible(start, stop))
        at = 0
        while at < len(entries):
            size = self._broker.random.randint(1, 60)
            await self._process.io("read on")
            self._cluster.faults.fail("read")
            yield entries[at : at + size]
            at += size

    async def close(self) -> None:
        """Nothing to release."""


class SimProducer:
    """Transactional. After an error nothing more may be asked of it, and a request in flight may still arrive."""

    def __init__(self, cluster: SimCluster, process: Process, group: str, name: str) -> None:
        self._cluster = cluster
        self._broker = cluster.broker
        self._process = process
        self._group = group
        self._name = name
        self._epoch = -1
        self._transaction: Transaction | None = None
        self._broken = False

    async def _step(self, point: str) -> None:
        assert not self._broken, f"{self._name} was used after an error"
        self._broken = True
        await self._process.io(f"{point} {self._name}")
        self._cluster.faults.fail(point)
        if point != "start":
            self._broker.owned(self._name, self._epoch)

    async def _done(self, point: str) -> None:
        await self._process.io(f"{point} {self._name} done")
        self._cluster.faults.reach(f"{point} done")
        self._broken = False

    async def start(self) -> None:
        await self._step("start")
        self._epoch = await self._broker.take_over(self._name)
        await self._done("start")

    async def begin(self) -> None:
        await self._step("begin")
        self._transaction = await self._broker.begin(self._name, self._epoch)
        await self._done("begin")

    async def send(self, outputs: Mapping[TopicPartition, Iterable[KeyValue]]) -> None:
        for target, records in outputs.items():
            await self._step(f"send {target.topic}/{target.partition}")
            self._broker.append(target, records, self._open)
            await self._done("send")

    async def send_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        await self._step("offsets")
        self._open.offsets |= {(self._group, partition): offset for partition, offset in offsets.items()}
        await self._done("offsets")

    @property
    def _open(self) -> Transaction:
        assert self._transaction is not None
        assert self._transaction.outcome is None
        return self._transaction

    async def commit(self) -> None:
        await self._step("commit")
        if self._cluster.faults.hit(self._broker.parameters.indefinite_commits):
            self._indefinite(self._open)
            await self._process.io(f"commit {self._name} lost")
            raise LogError("no answer to a commit")
        self._broker.decide(self._open, commit=True)
        await self._done("commit")

    def _indefinite(self, transaction: Transaction) -> None:
        """The request is lost, or has arrived, or will: unless the id is taken over before."""
        fate = self._broker.random.choice(["lost", "landed", "late"])
        self._process.world.note("broker", f"{fate}: commit of {self._name}")
        if fate == "landed":
            self._broker.decide(transaction, commit=True)
        elif fate == "late":
            outside(self._late(transaction, self._epoch))

    async def _late(self, transaction: Transaction, epoch: int) -> None:
        await asyncio.sleep(self._broker.random.random() * 3)
        if self._broker.epochs.get(self._name) == epoch and transaction.outcome is None:
            self._broker.decide(transaction, commit=True)

    async def abort(self) -> None:
        await self._step("abort")
        self._broker.decide(self._open, commit=False)
        await self._done("abort")

    async def close(self) -> None:
        self._broken = True
