"""Looks now and then whether somebody asks for a replay of a partition this worker owns.

Invariant: what it says may be late, never wrong: it is the newest request that was in the log; whether that is to be carried
out is for the opening of the partition to find. Its own troubles end nothing: it looks again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from streams import topics
from streams.errors import OutdatedError
from streams.ports.log import LogError, LogReader, TopicPartition
from streams.runtime.job import Job
from streams.runtime.readers import Readers
from streams.runtime.replays import read_replays

_log = logging.getLogger(__name__)


class Requests:
    """Those of one stream agent. ``asked``: id of the newest request, by partition, until it is taken."""

    def __init__(self, job: Job, readers: Readers) -> None:
        self.asked: dict[int, str] = {}
        self._job = job
        self._readers = readers
        self._owned: Collection[int] = ()
        self._seen: dict[int, int] = {}
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    def share(self, owned: Collection[int]) -> None:
        """Says which partitions this worker owns from now on."""
        self._owned = owned
        if self._running is None and not self._closed:
            self._running = asyncio.create_task(self._run(), name=f"requests {self._job.name}")

    def take(self, number: int) -> str | None:
        """The id of the newest request, if it is news."""
        return self.asked.pop(number, None)

    async def close(self) -> None:
        """Ends it, for good."""
        self._closed = True
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._job.limits.replay_seconds)
            try:
                await self._look()
            except LogError as error:  # the loop meets it too, and says so
                _log.debug("%s: requests: %s", self._job.name, error.message)

    async def _look(self) -> None:
        sources = [TopicPartition(topics.REPLAYS, number) for number in self._owned]
        async with self._readers.lent() as reader:
            for source, (_, stop) in (await reader.bounds(sources)).items() if sources else ():
                if stop == self._seen.get(source.partition, 0):
                    continue
                await self._read(reader, source.partition)
                self._seen[source.partition] = stop

    async def _read(self, reader: LogReader, number: int) -> None:
        try:
            request, _status = await read_replays(reader, self._job.name, number)
        except OutdatedError as error:  # the next opening stops at it
            _log.warning("%s/%d: requests: %s", self._job.name, number, error.message)
            return
        if request is not None:
            self.asked[number] = request.id
