"""memory.log for all followers: one consumer at the end of the topic, one reader for those who are behind.

Assumes partitions keep their number. Invariants: an entry is the same whether it came from memory or from the log again; what
an UNDO took back is worked out once and kept while it may be asked for; nothing runs before somebody follows.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from aiokafka.partitioner import murmur2

from streams.core.marker import Marker
from streams.errors import MonmouthError, PositionLostError
from streams.ports.log import LogError, LogReader, TopicPartition
from streams.serving.faults import CursorLostError, UnavailableError
from streams.serving.feed.cursor import Cursor
from streams.serving.feed.entries import Entry, FactEntry, entry_of
from streams.serving.feed.lane import SIZE, Lane
from streams.serving.feed.lookback import Lookback
from streams.signing import Verifier
from streams.topics import MEMORY_LOG

SPAN = 2_000
"""Offsets read at a time for a follower who is behind."""
UNDOS_KEPT = 64
LOST = "Read the agent's memories anew, then follow from now on: leave the cursor away."

Undone = Mapping[bytes, Sequence[FactEntry]]
Fold = Callable[[Sequence[Any]], Any]


class Tail(Protocol):
    """What follows the topic at its end and hands batches of one partition to the fold it was made with."""

    starts: dict[int, int]
    failure: MonmouthError | None

    def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def end_offsets(self) -> Mapping[int, int]:
        """Last stable offset of each partition. Raises UnavailableError, or what ended the tail."""


class FeedLog:
    """Entries by partition and position."""

    def __init__(
        self, tail: Callable[[Fold], Tail], reader: Callable[[], LogReader], verifier: Verifier, size: int = SIZE
    ) -> None:
        """``size``: entries of a partition held for those at the end."""
        self._tail = tail(self._fold)
        self._make_reader = reader
        self._reader: LogReader | None = None
        self._reading = asyncio.Lock()
        self._verifier = verifier
        self._size = size
        self._started = False
        self._lanes: dict[int, Lane] = {}
        self._undoing = asyncio.Lock()
        self._undone: OrderedDict[tuple[int, int], Undone] = OrderedDict()

    async def stop(self) -> None:
        """Safe to call twice."""
        self.wake()
        if self._started:
            await self._tail.stop()
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    def wake(self) -> None:
        """Lets every follower look again."""
        for lane in self._lanes.values():
            lane.wake()

    async def newest(self, agent: bytes) -> Cursor:
        """The end of the agent's partition as it is now."""
        ends = await self._ends()
        partition = (murmur2(agent) & 0x7FFFFFFF) % len(ends)
        return Cursor(partition, ends[partition])

    async def checked(self, agent: bytes, cursor: Cursor) -> Cursor:
        """``cursor``, if it is one of this log and agent. Raises CursorLostError."""
        newest = await self.newest(agent)
        if cursor.partition != newest.partition or cursor.offset > newest.offset:
            raise CursorLostError(f"the log has no place {cursor} for this agent", LOST)
        return cursor

    async def oldest(self, agent: bytes) -> Cursor:
        """The beginning of what the log still holds of the agent's partition."""
        partition = (await self.newest(agent)).partition
        return Cursor(partition, await self._beginning(partition))

    def is_live(self, partition: int, position: int) -> bool:
        """Whether what comes next at ``position`` is held in memory, or not written yet."""
        return position >= self._lanes[partition].first

    async def read(self, partition: int, position: int, seconds: float) -> tuple[Sequence[Entry], int]:
        """The next entries, and the position after them; waits for some if there are none. Raises CursorLostError, ..."""
        await self._ends_known()
        lane = self._lanes[partition]
        if position < lane.first:
            stop = min(lane.first, position + SPAN)
            return await self._from_log(partition, position, stop), stop
        await lane.wait(position, seconds)
        if self._tail.failure is not None:
            raise self._tail.failure
        if position < lane.first:  # left behind meanwhile
            return (), position
        entries = lane.after(position, limit=SPAN)
        return entries, entries[-1].offset + 1 if len(entries) == SPAN else max(position, lane.end)

    async def undone_by(self, partition: int, offset: int, marker: Marker) -> Undone:
        """Facts that the UNDO at ``offset`` took back, by owner, newest first."""
        key = partition, offset
        async with self._undoing:
            if key not in self._undone:
                by_owner: dict[bytes, list[FactEntry]] = {}
                for fact in await self._look_back(partition, offset, marker):
                    by_owner.setdefault(fact.owner, []).append(fact)
                self._undone[key] = by_owner
                while len(self._undone) > UNDOS_KEPT:
                    self._undone.popitem(last=False)
            self._undone.move_to_end(key)
            return self._undone[key]

    async def _look_back(self, partition: int, offset: int, marker: Marker) -> list[FactEntry]:
        lookback = Lookback(marker.removed)
        first = self._lanes[partition].first
        beginning, stop, span = first, offset, SPAN
        while not lookback.done:
            if stop <= beginning:
                beginning = await self._beginning(partition)
                if stop <= beginning:
                    break  # the log has been cut: what it no longer holds, nobody who follows it has been told either
            start = max(beginning, stop - span)
            for entry in reversed(await self._between(partition, start, stop)):
                lookback.take(entry)
            stop, span = start, min(2 * span, 16 * SPAN)
        return lookback.facts

    async def _between(self, partition: int, start: int, stop: int) -> Sequence[Entry]:
        lane = self._lanes[partition]
        if start >= lane.first:
            return lane.after(start, stop)
        return await self._from_log(partition, start, stop)

    async def _from_log(self, partition: int, start: int, stop: int) -> Sequence[Entry]:
        entries: list[Entry] = []
        async with self._reading:
            try:
                async for batch in self._a_reader().read_range(TopicPartition(MEMORY_LOG, partition), start, stop):
                    entries += self._decoded(batch, partition)
            except PositionLostError as error:
                raise CursorLostError(error.message, LOST) from None
            except LogError as error:
                await self._drop_reader()
                raise UnavailableError(error.message, "Resume in a moment.") from None
        return entries

    async def _beginning(self, partition: int) -> int:
        place = TopicPartition(MEMORY_LOG, partition)
        async with self._reading:
            try:
                return (await self._a_reader().bounds([place]))[place][0]
            except LogError as error:
                await self._drop_reader()
                raise UnavailableError(error.message, "Resume in a moment.") from None

    def _a_reader(self) -> LogReader:
        if self._reader is None:
            self._reader = self._make_reader()
        return self._reader

    async def _drop_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    async def _ends(self) -> Mapping[int, int]:
        if not self._started:
            self._started = True
            self._tail.start()
        ends = await self._tail.end_offsets()
        for partition, first in self._tail.starts.items():
            self._lane(partition, first)
        return ends

    async def _ends_known(self) -> None:
        if not self._lanes:
            await self._ends()

    def _lane(self, partition: int, first: int) -> Lane:
        if partition not in self._lanes:
            self._lanes[partition] = Lane(first, self._size)
        return self._lanes[partition]

    async def _fold(self, records: Sequence[Any]) -> None:
        partition = records[0].partition
        lane = self._lane(partition, self._tail.starts[partition])
        lane.extend(self._decoded(records, partition), records[-1].offset + 1)

    def _decoded(self, records: Sequence[Any], partition: int) -> list[Entry]:
        found = (entry_of(record, partition, self._verifier) for record in records)
        return [entry for entry in found if entry is not None]
