"""The consume-transform-produce loop of one stream agent in one worker.

Rebalances run in the background, concurrently with processing, so:
  * ``assigned`` only pauses the partitions and starts to open them; a partition joins in with one uninterrupted act: seek,
    resume, seated. Records fetched before that belong to nobody and are dropped, since the seek fetches them again;
  * who works on what was read is noted right after ``getmany`` returned, with no await between;
  * ``revoked`` takes the lock and waits for transactions in flight, then parks everything, with local state written. The
    lock is never held around ``getmany``, which blocks while a reassignment runs;
  * a parked partition that comes back goes on if nobody has committed for it since, which is asked; one that was taken over
    without that is fenced like any former owner. The others are closed.
What fails for a reason that may pass closes its partition alone, which is then opened anew from durable state.

Each partition is worked on by itself. While it is, it is held: nothing of it is taken from the log, the client reads one answer
of the broker ahead at most, the other partitions go on and so do heartbeats, however long an outside store takes. So what is in
memory is bounded by ``poll_records`` and by what a fetch may hold, and nothing is ever dropped: it waits in the log.
What was taken is worked on in portions, each a transaction, as large as ``batching`` says; what is left of it when the
partition goes away is read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from streams.cancellation import stray_cancellation_is_an_error
from streams.core.batching import Batching, weight
from streams.core.deferral import Waiting
from streams.errors import FencedError, LogIntegrityError, MonmouthError, PoisonError, may_pass
from streams.health import REWINDS
from streams.last_words import happened_at
from streams.metrics import count_error
from streams.outage import Outage
from streams.ports.log import LogConsumer, LogError, Message, TopicPartition
from streams.runtime import metrics
from streams.runtime.advance import Advances
from streams.runtime.fold import StateMismatchError
from streams.runtime.job import Job
from streams.runtime.lateness import Lateness
from streams.runtime.opening import Opening
from streams.runtime.partition import Partition
from streams.runtime.readers import Readers
from streams.runtime.recovery import Manner
from streams.runtime.requests import Requests
from streams.runtime.ripening import Ripening
from streams.runtime.standby import Standbys

_log = logging.getLogger(__name__)

Batch = Mapping[str, Sequence[Message]]


@dataclass(slots=True)
class Tally:
    """What was worked on since something was settled last, and for how long."""

    records: int = 0
    weighed: float = 0.0
    seconds: float = 0.0

    def add(self, batch: Batch) -> None:
        for messages in batch.values():
            self.records += len(messages)
            self.weighed += sum(weight(len(message.value or b"")) for message in messages)


@dataclass(eq=False, slots=True)
class Seat:
    """An assigned partition. ``running`` is None while it is being opened or ``held``, which says why; ``work`` while nothing
    of it is worked on.
    """

    number: int
    batching: Batching
    outage: Outage
    running: Partition | None = None
    work: asyncio.Task[None] | None = None
    halted: bool = False
    tally: Tally = field(default_factory=Tally)
    held: str = ""
    opening: asyncio.Task[None] | None = None
    failures: int = 0
    mismatches: int = 0
    manner: Manner = field(default_factory=Manner)


class AgentLoop:
    """Runs until ``stop`` is set, or raises the first error that no retry can mend."""

    def __init__(self, job: Job, stop: asyncio.Event) -> None:
        self._advances = Advances(job.name)
        self._job = replace(job, advances=self._advances)
        self._stop = stop
        self._lock = asyncio.Lock()
        self._seats: dict[int, Seat] = {}
        self._parked: dict[int, Partition] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._fatal: BaseException | None = None
        self._readers = Readers(job.client)
        self._late = Lateness(job.name)
        self._ripening = Ripening(job.limits.pauses, self._runs, self._waiting, _delivered(job))
        self._learned: dict[int, Batching] = {}
        self._outage = Outage(_log, job.name)
        self._pause = job.limits.retry_seconds[0]
        self._shared = False
        self.started = False
        self._consumer: LogConsumer
        self._standbys: Standbys
        self._requests: Requests
        metrics.count_from_zero(job.name)

    @property
    def name(self) -> str:
        """Of the stream agent."""
        return self._job.name

    @property
    def partitions(self) -> list[int]:
        """Numbers of the partitions that run now."""
        return sorted(number for number, seat in self._seats.items() if seat.running is not None)

    def complaints(self, rewind_seconds: float) -> list[str]:
        """Why work does not get on just now; none if it does. A rewind counts if it takes longer than ``rewind_seconds``."""
        if not self._shared:
            return [f"{self._job.name}: waits for its share of the partitions"]
        found = []
        for seat in self._seats.values():
            if seat.held:
                found.append(f"{self._job.name}/{seat.number}: is held back: {seat.held}")
            elif seat.running is None:
                found.append(f"{self._job.name}/{seat.number}: is being opened")
            elif seat.running.rewinding > rewind_seconds:
                found.append(f"{self._job.name}/{seat.number}: {REWINDS} {seat.running.rewinding:.0f} s")
        return found

    async def ask(self) -> None:
        """Asks the group's broker for something. Raises LogError."""
        if self._shared:
            await self._consumer.committed([TopicPartition(self._job.marked, 0)])

    async def run(self) -> None:
        """Raises LogIntegrityError, PositionLostError, ConfigurationError, or a stream agent's own defect."""
        try:
            await self._join_and_work()
        finally:
            await self._readers.close()

    async def _join_and_work(self) -> None:
        while not self._stop.is_set():
            self._consumer = self._job.client.consumer(self._job.name, self._job.spec.inputs)
            self._standbys = Standbys(replace(self._job, advances=None), self._consumer, self._readers)
            self._requests = Requests(self._job, self._readers)
            try:
                await self._consumer.start(self)
                await self._poll()
            except LogError as error:
                count_error(error)
                self._outage.failed(error.line)
            finally:
                await self._leave()
            if self._fatal is not None:
                raise self._fatal
            if not self._stop.is_set():
                await self._sleep(self._pause)
                self._pause = min(2 * self._pause, self._job.limits.retry_seconds[1])

    async def _poll(self) -> None:
        while not self._stop.is_set() and self._fatal is None:
            await self._heed_requests()
            await self._heed_holds()
            wanted = max((seat.batching.records for seat in self._seats.values()), default=self._job.limits.batching(1).records)
            found = await self._consumer.getmany(timeout_ms=self._job.limits.poll_ms, max_records=wanted)
            for seat, partition, batch in self._share_out(found):  # no await since getmany returned: it is who is seated now
                self._consumer.hold(self._sources(seat))
                seat.work = asyncio.create_task(self._work(seat, partition, batch), name=f"work {self._job.name}/{seat.number}")
            self._look()

    async def _work(self, seat: Seat, partition: Partition, batch: Batch) -> None:
        """Takes what was read in portions, until all is done, or the partition is taken away or has failed."""
        try:
            while batch and seat.running is partition and not seat.halted:
                portion, batch = _portion(batch, seat.batching, self._late.seconds(seat.number))
                await self._step(seat, partition, portion)
        finally:
            seat.work = None
            asyncio.get_running_loop().call_later(seat.batching.linger, self._release, seat)

    def _release(self, seat: Seat) -> None:
        if self._seats.get(seat.number) is seat and seat.work is None:
            with suppress(LogError):  # no longer assigned
                self._consumer.release(self._sources(seat))
                self._ripening.reopen(seat.number, self._consumer)

    async def _halt(self, seat: Seat) -> None:
        """Waits for the transaction in flight; nothing more is begun for this seat."""
        if seat.work is not None:
            seat.halted = True
            await asyncio.wait([seat.work])
            seat.halted = False

    async def _heed_requests(self) -> None:
        """Opens partitions anew of which a replay is asked: taking back is part of that."""
        if not self._requests.asked:
            return
        async with self._lock:
            for seat in list(self._seats.values()):
                if seat.running is None or self._requests.take(seat.number) in (None, seat.running.request):
                    continue
                await self._halt(seat)
                if seat.running is not None:
                    running, seat.running = seat.running, None
                    metrics.PARTITIONS.labels(self._job.name).dec()
                    await running.close(keep=True)
                    self._start(seat, 0.0)

    async def _heed_holds(self) -> None:
        """Puts partitions down that are to be left alone, and takes those up again that are not any more."""
        news = {number: why for number, seat in self._seats.items() if (why := self._job.held(number)) != seat.held}
        if not news:
            return
        async with self._lock:
            for number, why in news.items():
                seat = self._seats.get(number)
                if seat is None:
                    continue
                if why and not seat.held:
                    await self._put_down(seat)
                was, seat.held = seat.held, why
                metrics.HELD.labels(self._job.name, str(number)).set(bool(why))
                _log.warning("%s/%d: %s", self._job.name, number, f"is held back: {why}" if why else "is taken up again")
                if was and not why:
                    self._start(seat, 0.0)

    async def _put_down(self, seat: Seat) -> None:
        """Closes a partition and reads no more of it."""
        await self._halt(seat)
        if seat.opening is not None and not seat.opening.done():
            seat.opening.cancel()
            with suppress(asyncio.CancelledError):
                await seat.opening
        running, seat.running = seat.running, None
        if running is not None:
            metrics.PARTITIONS.labels(self._job.name).dec()
            await running.close(keep=True)
        self._leave_alone(seat)

    def _leave_alone(self, seat: Seat) -> None:
        """Reads nothing of a partition. Its position is one of no meaning: the client would ask for the committed one,
        and if that is lost or none, no partition could be read.
        """
        with suppress(LogError):  # no longer assigned
            self._consumer.pause(self._sources(seat))
            for source in self._sources(seat):
                self._consumer.seek(source, 0)

    def _share_out(self, found: Mapping[TopicPartition, Sequence[Message]]) -> list[tuple[Seat, Partition, Batch]]:
        batches: dict[int, dict[str, Sequence[Message]]] = {}
        for (topic, number), fetched in found.items():
            messages = self._ripening.ripe(TopicPartition(topic, number), fetched, self._consumer)
            if messages:
                batches.setdefault(number, {})[topic] = messages
                if topic in self._job.spec.timely():
                    self._late.waits(TopicPartition(topic, number), messages[0].timestamp)
                metrics.RECEIVED.labels(self._job.name, topic, str(number)).set(messages[-1].offset + 1)
        seats = ((self._seats.get(number), batch) for number, batch in batches.items())
        return [(seat, seat.running, batch) for seat, batch in seats if seat is not None and seat.running is not None]

    def _look(self) -> None:
        for seat in self._seats.values():
            if seat.running is not None and seat.work is None:
                for source in self._timely(seat):
                    self._late.look(source, self._consumer)

    async def _step(self, seat: Seat, partition: Partition, batch: Batch) -> None:
        tally, clock = seat.tally, asyncio.get_running_loop().time
        tally.add(batch)
        started = clock()
        try:
            with stray_cancellation_is_an_error():  # it would lose the rest of the batch, and nobody would know
                settled = await partition.step(batch)
            seat.failures = seat.mismatches = 0
            self._advances.settled(seat.number)
            tally.seconds += clock() - started
            if settled:  # else it waits for its marker, and costs then
                seat.batching.took(tally.records, tally.weighed, tally.seconds)
                seat.tally = Tally()
        except Exception as error:
            seat.running = None
            if may_pass(error):
                seat.batching.failed(tally.weighed)
            seat.tally = Tally()
            metrics.PARTITIONS.labels(self._job.name).dec()
            await partition.close(keep=False)
            self._reopen(seat, error)

    def _reopen(self, seat: Seat, error: Exception) -> None:
        """Decides what an error means for a partition that was closed because of it."""
        delay = self._delay(seat, error)
        if delay is None or not isinstance(error, PoisonError):  # a poison record is counted as the dead letter that it becomes
            count_error(error)
        if delay is None:
            if isinstance(error, LogIntegrityError):
                metrics.INTEGRITY_STOPS.labels(self._job.name).inc()
            happened_at(error, f"{self._job.name}/{seat.number}")
            self._fatal = self._fatal or error
            return
        reason = type(error).__name__
        metrics.REBUILDS.labels(self._job.name, reason).inc()
        seat.outage.failed(f"{reason}: {error.line if isinstance(error, MonmouthError) else error}")
        self._start(seat, delay)

    def _delay(self, seat: Seat, error: Exception) -> float | None:
        """Seconds until the partition is opened anew, with ``seat.manner`` set; None if that would not help."""
        first, longest = self._job.limits.retry_seconds
        seat.failures += 1
        if isinstance(error, PoisonError) and not seat.manner.careful:
            seat.manner = Manner(careful=True)
            return 0.0
        if isinstance(error, StateMismatchError) and seat.mismatches == 0:
            seat.mismatches += 1
            seat.manner = Manner(fresh=True)
            return 0.0
        if isinstance(error, FencedError):
            return self._job.fence_seconds
        if may_pass(error):
            return min(longest, first * 2.0 ** min(seat.failures - 1, 16))
        return None

    def _start(self, seat: Seat, delay: float) -> None:
        if self._seats.get(seat.number) is not seat:  # taken away meanwhile
            return
        with suppress(LogError):  # no longer assigned: ``revoked`` is on its way
            self._consumer.pause(self._sources(seat))
        seat.opening = asyncio.create_task(self._open(seat, delay), name=f"open {self._job.name}/{seat.number}")

    async def _open(self, seat: Seat, delay: float) -> None:
        looking = asyncio.create_task(self._late.look_ahead(self._timely(seat), self._consumer, self._job.client))
        try:
            with stray_cancellation_is_an_error():  # it would leave the seat empty, and nobody would know
                await asyncio.sleep(delay)
                await self._standbys.release(seat.number)
                partition = await self._parked_one(seat.number)
                if partition is None:
                    self._advances.begin(seat.number)
                    partition = await Opening(self._job, self._consumer, self._readers, seat.number, seat.manner).open()
        except Exception as error:
            self._reopen(seat, error)
            return
        finally:
            looking.cancel()
        try:
            for topic, offset in partition.reading.items():
                self._consumer.seek(TopicPartition(topic, seat.number), offset)
            self._consumer.resume(self._sources(seat))
            self._consumer.release(self._sources(seat))
        except LogError:  # no longer assigned
            await partition.close(keep=False)
            return
        seat.running = partition
        seat.manner = Manner()
        seat.outage.over()
        where = ", ".join(f"{topic}@{position}" for topic, position in partition.positions.items())
        _log.info("%s/%d runs from %s", self._job.name, seat.number, where)
        metrics.PARTITIONS.labels(self._job.name).inc()

    async def _parked_one(self, number: int) -> Partition | None:
        """The partition as it was put down, if it stands where the log says."""
        partition = self._parked.pop(number, None)
        if partition is None:
            return None
        try:
            sources = {topic: TopicPartition(topic, number) for topic in partition.positions}
            committed = await self._consumer.committed(list(sources.values()))
        except BaseException:
            await partition.close(keep=True)
            raise
        if all((committed[sources[topic]] or 0) == position for topic, position in partition.positions.items()):
            return partition
        await partition.close(keep=False)
        return None

    def _sources(self, seat: Seat) -> list[TopicPartition]:
        return [TopicPartition(topic, seat.number) for topic in self._job.spec.inputs]

    def _timely(self, seat: Seat) -> list[TopicPartition]:
        """Those whose records are late if they wait."""
        return [TopicPartition(topic, seat.number) for topic in self._job.spec.timely()]

    def _runs(self, number: int) -> bool:
        seat = self._seats.get(number)
        return seat is not None and seat.running is not None

    def _waiting(self, number: int) -> Waiting | None:
        seat = self._seats.get(number)
        return None if seat is None or seat.running is None else seat.running.waiting

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Puts everything down: an eager rebalance takes all partitions away, and gives most of them back."""
        self._shared = False
        self._standbys.share(None)
        _log.info("%s: the group is shared out anew", self._job.name)
        async with self._lock:
            await asyncio.gather(*(self._park(seat) for seat in await self._vacated()))

    async def _vacated(self) -> list[Seat]:
        """All seats, at which nobody works any more."""
        seats, self._seats = list(self._seats.values()), {}
        await asyncio.gather(*(self._halt(seat) for seat in seats))
        for seat in seats:
            metrics.HELD.labels(self._job.name, str(seat.number)).set(0)
            if seat.opening is not None and not seat.opening.done():
                seat.opening.cancel()
                with suppress(asyncio.CancelledError):
                    await seat.opening
        return seats

    async def _park(self, seat: Seat) -> None:
        if seat.running is None:
            return
        running, seat.running = seat.running, None
        metrics.PARTITIONS.labels(self._job.name).dec()
        if await running.park():
            self._parked[seat.number] = running
        else:
            await running.close(keep=False)

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Starts to open the partitions; returns at once."""
        if self._stop.is_set():
            return
        numbers = sorted({partition.partition for partition in partitions})
        self._standbys.share(numbers)
        self._late.share(numbers)
        self._requests.share(numbers)
        _log.info("%s: holds partitions %s", self._job.name, numbers)
        for number in numbers:
            fresh = self._job.limits.batching(len(numbers))
            kept = self._learned.setdefault(number, fresh)
            kept.most, kept.least = fresh.most, fresh.least
            seat = self._seats[number] = Seat(
                number, kept, Outage(_log, f"{self._job.name}/{number}"), held=self._job.held(number)
            )
            metrics.HELD.labels(self._job.name, str(number)).set(bool(seat.held))
            if seat.held:
                self._leave_alone(seat)
            else:
                self._start(seat, 0.0)
        self._shared = self.started = True
        self._outage.over()
        self._pause = self._job.limits.retry_seconds[0]
        for number in self._parked.keys() - set(numbers):
            closing = asyncio.create_task(self._parked.pop(number).close(keep=True))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _close_all(self) -> None:
        running = [seat.running for seat in await self._vacated() if seat.running is not None]
        metrics.PARTITIONS.labels(self._job.name).dec(len(running))
        parked, self._parked = list(self._parked.values()), {}
        for partition in running + parked:
            await partition.close(keep=True)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _leave(self) -> None:
        self._shared = False
        self._late.share(())
        await self._standbys.close()
        await self._requests.close()
        async with self._lock:
            await self._close_all()
        with suppress(LogError):
            await self._consumer.stop()
        async with self._lock:  # a rebalance may have seated partitions meanwhile
            await self._close_all()

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def _delivered(job: Job) -> list[str]:
    """Topics of whose records some may have to wait."""
    return list(job.spec.timely()) if job.spec.defers else []


def _portion(batch: Batch, batching: Batching, waited: float) -> tuple[Batch, Batch]:
    """The first records of a batch, as many as belong to one transaction; and the others."""
    count = batching.fits((len(message.value or b"") for messages in batch.values() for message in messages), waited)
    portion, rest = {}, {}
    for topic, messages in batch.items():
        if count > 0:
            portion[topic] = messages[:count]
        if len(messages) > count:
            rest[topic] = messages[count:]
        count = max(0, count - len(messages))
    return portion, rest
