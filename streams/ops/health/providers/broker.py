"""The broker: that it answers, and how far each consumer group is behind, judged from what it committed.

What waits is counted in records that a reader would get, not in offsets: markers of transactions take offsets too, so a group
that has read everything stands before the end of the log. Where the distance is small it is looked at what lies there.
Committed positions are asked from the groups' coordinator. Whoever is in the group stands for a commit at each look, moved or
not, so a worker that lives and does not move is a stall, and one that is gone is a stop.
Invariant: a group that never committed is not spoken of.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from streams.cluster.arguments import client_arguments
from streams.ops.health.finding import Finding
from streams.ops.health.lag import STATUS, Commit, Lag, judge, worst_lag
from streams.ports.log import TopicPartition
from streams.runtime.kafka.names import Names, translated
from streams.settings import KafkaSettings

WINDOW = 10
"""Commits that are judged, as in Burrow."""
NEAR = 64
"""Offsets; a group that is nearer to the end is told by the records that lie between."""
NEAR_SECONDS = 1.0
POLL_MS = 25

Standing = Callable[[str, TopicPartition], Awaitable[int | None]]
"""The position that a stream agent's newest checkpoint names for an input; None if it is not known."""


async def unknown(_agent: str, _place: TopicPartition) -> int | None:
    """For whoever reads no checkpoints."""
    return None


class Partition:
    """The newest commits of one group in one partition."""

    def __init__(self) -> None:
        self.commits: deque[Commit] = deque(maxlen=WINDOW)
        self.ends: deque[int] = deque(maxlen=WINDOW)
        self.waiting = 0

    def goes_back(self, offset: int) -> bool:
        """Whether that lies before the newest commit."""
        return bool(self.commits) and offset < self.commits[-1].offset

    def look(self, now: float, offset: int, end: int, waiting: int, *, held: bool, ours: bool) -> None:
        """Takes one look in. ``held``: a member of the group holds the partition; ``ours``: see ``Commit``."""
        self.waiting = waiting
        if held or not self.commits or self.commits[-1].offset != offset:
            self.commits.append(Commit(now, offset, waiting, ours=ours))
        self.ends.append(end if waiting else offset)  # a marker may lie behind the last record

    def verdict(self, now: float, *, rewinding: bool = False) -> Lag:
        """How it is."""
        return judge(list(self.commits), self.waiting, now, list(self.ends)[:-1], rewinding=rewinding)


class Groups:
    """Consumer groups and their lag, by two connections. ``groups``: logical names, with the topics that each reads."""

    def __init__(
        self,
        settings: KafkaSettings,
        groups: Mapping[str, Sequence[str]],
        standing: Standing = unknown,
        rewinding: Callable[[str], bool] = lambda _agent: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._groups = groups
        self._standing = standing
        self._rewinding = rewinding
        self._clock = clock
        self._names = Names(settings.prefix)
        self._partitions: dict[tuple[str, TopicPartition], Partition] = {}
        self._tails: dict[TopicPartition, tuple[int, int, list[int]]] = {}
        self._admin: AIOKafkaAdminClient | None = None
        self._reader: AIOKafkaConsumer | None = None

    async def look(self) -> dict[str, Finding]:
        """A finding for each group that has ever committed. Raises LogError, ClusterAccessError."""
        try:
            with translated("asking how far groups are", "DESCRIBE"):
                return await self._look()
        except Exception:
            await self.close()  # the next look begins with connections of its own
            raise

    async def close(self) -> None:
        """Safe to call twice."""
        admin, reader, self._admin, self._reader = self._admin, self._reader, None, None
        for client in (part for part in (admin and admin.close, reader and reader.stop) if part):
            with suppress(Exception):
                await asyncio.wait_for(client(), 5)

    async def _look(self) -> dict[str, Finding]:
        admin, reader = await self._clients()
        committed = {group: await self._committed(admin, group) for group in self._groups}
        places = sorted({place for offsets in committed.values() for place in offsets})
        physical = {place: self._names.to_kafka(place) for place in places}
        ends = await reader.end_offsets(list(physical.values())) if places else {}
        held = await self._held(admin, [group for group, offsets in committed.items() if offsets])
        records = await self._records(reader, committed, {place: ends[physical[place]] for place in places})
        now = self._clock()
        for group, offsets in committed.items():
            for place, offset in offsets.items():
                end = ends[physical[place]]
                waiting = sum(at >= offset for at in records[place]) if place in records else max(0, end - offset)
                partition = self._of(group, place)
                ours = partition.goes_back(offset) and await self._standing(group, place) == offset
                partition.look(now, offset, end, waiting, held=place in held.get(group, ()), ours=ours)
        return {group: self._judged(group, offsets, now) for group, offsets in committed.items() if offsets}

    async def _clients(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(
                **client_arguments(self._settings), request_timeout_ms=self._settings.request_timeout_ms
            )
            await self._admin.start()
        if self._reader is None:
            self._reader = AIOKafkaConsumer(
                **client_arguments(self._settings),
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                max_partition_fetch_bytes=1 << 16,
                request_timeout_ms=self._settings.request_timeout_ms,
            )
            await self._reader.start()
        return self._admin, self._reader

    async def _committed(self, admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
        found = await admin.list_consumer_group_offsets(self._names.topic(group))
        places = {self._names.to_logical(place): held.offset for place, held in found.items() if held.offset >= 0}
        return {place: offset for place, offset in places.items() if place.topic in self._groups[group]}

    async def _held(self, admin: AIOKafkaAdminClient, groups: Sequence[str]) -> dict[str, set[TopicPartition]]:
        """Partitions that a live member of each group holds."""
        found: dict[str, set[TopicPartition]] = {}
        for group in groups:  # one by one: the client cannot read an answer about several
            (answer,) = await admin.describe_consumer_groups([self._names.topic(group)])
            ((_error, _name, _state, _type, _protocol, members, *_),) = answer.groups
            found[group] = {place for member in members for place in self._assigned(member)}
        return found

    def _assigned(self, member: Any) -> list[TopicPartition]:
        if not member[-1]:  # the group is being shared out
            return []
        return [self._names.to_logical(place) for place in ConsumerProtocolMemberAssignment.decode(member[-1]).partitions()]

    async def _records(
        self,
        reader: AIOKafkaConsumer,
        committed: Mapping[str, Mapping[TopicPartition, int]],
        ends: Mapping[TopicPartition, int],
    ) -> dict[TopicPartition, list[int]]:
        """Offsets of the records at the end of each partition, from where the group that is furthest behind stands.

        Left out are partitions in which a group is far behind, and those that cannot be read in time: distances stand for them.
        """
        starts: dict[TopicPartition, int] = {}
        for offsets in committed.values():
            for place, offset in offsets.items():
                starts[place] = min(starts.get(place, offset), offset)
        near = {place: at for place, at in starts.items() if 0 <= ends[place] - at <= NEAR}
        known = {place: self._tails[place][2] for place, at in near.items() if self._known(place, at, ends[place])}
        unread = {self._names.to_kafka(place): (place, at) for place, at in near.items() if place not in known}
        if unread:
            known |= await self._read(reader, unread, ends)
        for place, at in near.items():
            if place in known:
                self._tails[place] = (at, ends[place], known[place])
        return known

    def _known(self, place: TopicPartition, start: int, end: int) -> bool:
        """Whether that stretch was read at an earlier look."""
        first, last, _ = self._tails.get(place, (0, -1, []))
        return first <= start and last == end

    async def _read(
        self, reader: AIOKafkaConsumer, unread: Mapping[Any, tuple[TopicPartition, int]], ends: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, list[int]]:
        found: dict[TopicPartition, list[int]] = {place: [] for place, _ in unread.values()}
        reader.assign(list(unread))
        for source, (_, start) in unread.items():
            reader.seek(source, start)
        open_, deadline = dict(unread), self._clock() + NEAR_SECONDS
        while open_ and self._clock() < deadline:
            for source, records in (await reader.getmany(*open_, timeout_ms=POLL_MS)).items():
                found[unread[source][0]] += [record.offset for record in records]
            for source in [source for source in open_ if await reader.position(source) >= ends[unread[source][0]]]:
                del open_[source]
        reader.pause(*unread)
        return {place: offsets for place, offsets in found.items() if self._names.to_kafka(place) not in open_}

    def _of(self, group: str, place: TopicPartition) -> Partition:
        return self._partitions.setdefault((group, place), Partition())

    def _judged(self, group: str, offsets: Mapping[TopicPartition, int], now: float) -> Finding:
        rewinding = self._rewinding(group)
        verdicts = {place: self._of(group, place).verdict(now, rewinding=rewinding) for place in offsets}
        worst = worst_lag(verdicts.values())
        total = sum(self._of(group, place).waiting for place in offsets)
        said = ", ".join(
            f"{place.topic}/{place.partition} {verdict}" for place, verdict in sorted(verdicts.items()) if verdict is not Lag.OK
        )
        return Finding(STATUS[worst], f"{said}; {total} records wait" if said else f"{total} records wait")


class Broker:
    """Answers for the broker; what was found of the groups is in ``groups``, empty while the broker does not answer."""

    name = "broker"

    def __init__(self, groups: Groups, interval: float) -> None:
        self.interval: float | None = interval
        self.groups: Mapping[str, Finding] = {}
        self._groups = groups

    async def probe(self) -> Finding:
        answered = False
        try:
            self.groups = await self._groups.look()
            answered = True
        finally:
            if not answered:
                self.groups = {}
        return Finding("healthy", f"{len(self.groups)} groups")

    async def close(self) -> None:
        await self._groups.close()
