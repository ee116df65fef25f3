"""Reads removed blocks back from the log, which is the undo log.

Invariant: a block is handed to ``revert`` only if it was verified against its own NEW marker again, and is the occurrence the
live chain names, digest and all.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from streams.core.chain import LiveBlock, LiveChain, LiveSpan
from streams.core.checkpoint import Checkpoint
from streams.core.segment import Assembler, Block, Undo, Unit
from streams.core.undo import ReadRange, UndoPlan, read_ranges
from streams.errors import LogIntegrityError
from streams.ports.log import LogReader, TopicPartition
from streams.runtime.decode import decode
from streams.runtime.job import Job

_log = logging.getLogger(__name__)


def live_block(unit: Block, parent_time: int | None = None, state: bytes | None = None) -> LiveBlock:
    """The occurrence a unit is."""
    marker = unit.marker
    place = (marker.sequence, unit.start, unit.offset)
    return LiveBlock(marker.block, *place, marker.count, marker.digest, state, marker.timestamp, parent_time)


class Rewinder:
    """Reads back for one partition, one read at a time. Connects at the first read; ``close`` after the last of a batch."""

    def __init__(self, job: Job, partition: int) -> None:
        self._job = job
        self._source = TopicPartition(job.marked, partition)
        self._reader: LogReader | None = None

    async def close(self) -> None:
        """Drops the connection, if there is one; the next read makes another."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    def _connected(self) -> LogReader:
        if self._reader is None:
            self._reader = self._job.client.reader()
        return self._reader

    async def blocks(self, plan: UndoPlan) -> AsyncIterator[Block]:
        """The planned blocks, newest first. Raises LogIntegrityError if the log holds something else there."""
        for part in read_ranges(plan, self._job.limits.rewind_span):
            found = await self._read(part)
            for wanted in part.blocks:
                block = found.pop(wanted.marker, None)
                if block is None or (block.marker.block, block.marker.digest) != (wanted.block, wanted.digest):
                    raise LogIntegrityError(
                        f"{self._source.topic}/{self._source.partition}@{wanted.marker}: block {wanted.block} was here, "
                        "and is not any more"
                    )
                yield block

    async def oldest(self, plan: UndoPlan) -> Block:
        """The block that ``blocks`` ends with."""
        alone = UndoPlan(plan.blocks[-1:], plan.ancestor)
        found = [block async for block in self.blocks(alone)]
        return found[0]

    async def _read(self, part: ReadRange) -> dict[int, Block]:
        wanted = {block.marker for block in part.blocks}
        assembler = self._assembler(part.start, part.blocks[-1].sequence - 1)
        found: dict[int, Block] = {}
        async for messages in self._connected().read_range(self._source, part.start, part.stop):
            self._job.advanced(self._source.partition, len(messages))
            for unit in assembler.feed(decode(self._source, messages)):
                if isinstance(unit, Block) and unit.offset in wanted:
                    found[unit.offset] = unit
        return found

    async def survey(self, stop: int, since: Checkpoint | None, low: int, high: int) -> LiveChain:
        """The live chain at offset ``stop``, from the log itself: for an undo older than what checkpoints know.

        Reads from checkpoint ``since``, or from the beginning of the log; of what it finds, it keeps the heights from ``low``
        to ``high`` alone. The tip at ``stop`` is at ``high``.
        """
        start = since.at.start if since else 0
        _log.info("%s: reads %s/%s from %d to find the blocks that stand at %d", self._job.name, *self._source, start, stop)
        span = LiveSpan(low, high, since.at.parent_time if since else None)
        async for unit in self._units(since, stop):
            if isinstance(unit, Block):
                span.push(live_block(unit, span.time))
            elif isinstance(unit, Undo):
                span.drop(unit.ancestor)
        return span.chain()

    async def lowest(self, stop: int, since: Checkpoint | None) -> int | None:
        """Height of the first block from ``since`` on, or of the log. Raises PositionLostError if the log begins behind it."""
        async with aclosing(self._units(since, stop)) as units:
            async for unit in units:
                if isinstance(unit, Block):
                    return unit.marker.block.number
        return None

    async def _units(self, since: Checkpoint | None, stop: int) -> AsyncGenerator[Unit]:
        start = since.at.start if since else 0
        assembler = self._assembler(start, since.at.sequence - 1 if since else -1)
        async for messages in self._connected().read_range(self._source, start, stop):
            self._job.advanced(self._source.partition, len(messages))
            for unit in assembler.feed(decode(self._source, messages)):
                yield unit

    def _assembler(self, start: int, sequence: int) -> Assembler:
        topic, partition = self._source
        verify: Any = self._job.verify
        if sequence < 0:
            return Assembler(topic, partition, start, verify, first=0)
        return Assembler(topic, partition, start, verify, sequence=sequence)
