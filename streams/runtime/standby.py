"""Standbys: local state of partitions that other workers own, kept near what these have committed, for a quick take-over.

A standby does committed work again with its outputs dropped, by the code that recovers an owner; it joins no group, starts no
producer and commits nothing but its own local state. So whatever happens to it costs time at most, and never stops the worker.
Invariants: of one worker, a partition has an owner or a standby, never both: ``release`` returns when the standby is gone; a
standby never enters state that has a live owner (see ``StandbyStore``), nor writes to stores it shares with one; one partition
is worked on at a time, and for each second of work there is one of rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from streams.core.checkpoint import TIP
from streams.core.position import can_reach
from streams.errors import FencedError, PoisonError, may_pass
from streams.metrics import count_error
from streams.ports.log import LogConsumer, LogError, LogReader, TopicPartition
from streams.runtime import metrics
from streams.runtime.catchup import catch_up
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.fold import Fold, StateMismatchError
from streams.runtime.job import Job
from streams.runtime.occupancy import OccupiedError
from streams.runtime.opening import committed_standing
from streams.runtime.outbox import Shadow
from streams.runtime.readers import Readers
from streams.runtime.recovery import Manner, Recovery
from streams.runtime.state import StaleStateError, StandbyStore, StateStore, state_path

_log = logging.getLogger(__name__)

HOPELESS_SECONDS = 60.0
"""Until another try where no retry should help: what stops an owner for good only costs the standby."""

OCCUPIED_SECONDS = 2.0

Goal = Mapping[str, int | None]


@dataclass(eq=False, slots=True)
class Standby:
    """One partition followed. ``fold`` and ``store`` are None while it waits for its next attempt at ``due``."""

    number: int
    fold: Fold | None = None
    store: StateStore | None = None
    manner: Manner = field(default_factory=Manner)
    failures: int = 0
    due: float = 0.0

    def drop(self) -> None:
        """Forgets all that is not written."""
        if self.store is not None:
            self.store.close()
        self.fold = self.store = None


class Standbys:
    """Those of one stream agent in one worker. Does nothing if the job asks for none."""

    def __init__(self, job: Job, consumer: LogConsumer, readers: Readers) -> None:
        self._job = job
        self._consumer = consumer
        self._readers = readers
        self._owned: Collection[int] | None = None  # None: the group is being shared out, wait and see
        self._standbys: dict[int, Standby] = {}
        self._at: tuple[int, asyncio.Task[None]] | None = None
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self._clock = asyncio.get_running_loop().time

    def share(self, owned: Collection[int] | None) -> None:
        """Says which partitions this worker owns from now on, or (None) that this is not known until the next call."""
        self._owned = owned
        if self._running is None and self._job.standby and not self._closed:
            self._running = asyncio.create_task(self._run(), name=f"standby {self._job.name}")

    async def release(self, number: int) -> None:
        """Ends the standby of a partition this worker owns now. Its state is on the disk, closed, when this returns."""
        if self._at is not None and self._at[0] == number:
            self._at[1].cancel()
            await asyncio.wait([self._at[1]])
        self._forget(number)

    async def close(self) -> None:
        """Ends all of them, for good."""
        self._closed = True
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        if self._at is not None:
            self._at[1].cancel()
            await asyncio.wait([self._at[1]])
        for number in list(self._standbys):
            self._forget(number)

    def _forget(self, number: int) -> None:
        standby = self._standbys.pop(number, None)
        if standby is not None:
            standby.drop()
            with suppress(KeyError):
                metrics.STANDBY_LAG.remove(self._job.name, str(number))

    async def _run(self) -> None:
        while True:
            try:
                await self._round()
            except LogError as error:  # the owner's loop meets it too, and says so
                _log.debug("%s: standbys: %s", self._job.name, error.message)
            await asyncio.sleep(self._job.limits.standby_seconds)

    async def _round(self) -> None:
        numbers = [number for number in range(self._job.standby) if self._free(number)]
        sources = [TopicPartition(topic, number) for number in numbers for topic in self._job.spec.inputs]
        committed = await self._consumer.committed(sources)
        for number in numbers:
            goal = {topic: committed.get(TopicPartition(topic, number)) for topic in self._job.spec.inputs}
            if not self._free(number) or not any(goal.values()):
                continue
            standby = self._standbys.setdefault(number, Standby(number))
            if standby.due > self._clock():
                continue
            task = asyncio.create_task(self._follow(standby, goal), name=f"standby {self._job.name}/{number}")
            self._at = number, task
            try:
                await asyncio.wait([task])
            finally:
                if task.done():
                    self._at = None

    def _free(self, number: int) -> bool:
        return self._owned is not None and number not in self._owned

    async def _follow(self, standby: Standby, goal: Goal) -> None:
        try:
            await self._advance(standby, goal)
            standby.manner, standby.failures = Manner(), 0
        except Exception as error:
            standby.drop()
            self._failed(standby, error)
        except BaseException:
            standby.drop()
            raise

    async def _advance(self, standby: Standby, goal: Goal) -> None:
        fold, store = standby.fold, standby.store
        before = fold.positions if fold is not None else dict.fromkeys(goal, 0)
        wanted = {topic: before[topic] if offset is None else offset for topic, offset in goal.items()}
        metrics.STANDBY_LAG.labels(self._job.name, str(standby.number)).set(sum(wanted.values()) - sum(before.values()))
        if fold is None or store is None or not can_reach(before, wanted):
            standby.drop()
            async with self._readers.lent() as reader:
                await self._open(standby, reader)
        elif before != wanted:
            async with self._readers.lent() as reader:
                await catch_up(self._job, fold, store, reader, wanted, rest=self._job.limits.standby_rest)
            fold.blocks = 0

    async def _open(self, standby: Standby, reader: LogReader) -> None:
        job, number = self._job, standby.number
        standby.store = StandbyStore(state_path(job.state_dir, job.name, number))
        if job.factory.follow is None:
            await _claim(job, number, standby.store)
        checkpoints = await read_checkpoints(reader, job.name, number)
        goal = await committed_standing(job, self._consumer, reader, number, checkpoints.get(TIP))
        make = job.factory.follow or job.factory.make
        recovery = Recovery(job, number, reader, goal, checkpoints, standby.manner, make, job.limits.standby_rest)
        standby.fold = await recovery.fold(standby.store)
        standby.fold.outbox = Shadow(job.spec, number, job.signer, job.prefix)
        standby.fold.careful = False
        _log.info("%s/%d: a standby follows from %s", job.name, number, standby.fold.positions)

    def _failed(self, standby: Standby, error: Exception) -> None:
        """Decides how and when to try again; there is always a next time."""
        first, longest = self._job.limits.retry_seconds
        if isinstance(error, OccupiedError | StaleStateError | FencedError):  # an owner shares this folder with us
            self._forget(standby.number)
            self._standbys[standby.number] = Standby(standby.number, due=self._clock() + OCCUPIED_SECONDS)
            return
        count_error(error)
        standby.failures += 1
        delay = min(longest, first * 2.0 ** min(standby.failures - 1, 16))
        if isinstance(error, PoisonError) and not standby.manner.careful:
            standby.manner = Manner(careful=True)
        elif isinstance(error, StateMismatchError) and not standby.manner.fresh:
            standby.manner = Manner(fresh=True)
        elif not may_pass(error):
            delay = HOPELESS_SECONDS
        standby.due = self._clock() + delay
        reason = type(error).__name__
        metrics.STANDBY_FAILURES.labels(self._job.name, reason).inc()
        _log.warning("%s/%d: its standby failed: %s: %s", self._job.name, standby.number, reason, error)


async def _claim(job: Job, partition: int, state: StateStore) -> None:
    """Takes over stores that only this worker fills; forgets ``state`` that was kept beside others. Raises StoreError."""
    stores = b"" if job.factory.claim is None else await job.factory.claim(partition)
    if stores and not state.bind(stores):
        _log.warning("%s/%d: its store was made anew and is filled from the log", job.name, partition)
