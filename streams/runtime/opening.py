"""Opens a partition: from durable state alone, after a start, a rebalance or any failure alike.

Order, which is what makes a take-over safe: start the producer, which ends and fences what a former owner left open; take
local state and outside stores over, which shuts that owner out there; only then read the committed offsets and checkpoints;
bring local state up to them; take back what a replay asks for; hand over the positions to seek to.
"""

from __future__ import annotations

from streams.core.checkpoint import TIP, Checkpoint
from streams.core.position import Standing, stand
from streams.errors import PositionLostError
from streams.ports.log import LogConsumer, LogProducer, LogReader, TopicPartition
from streams.runtime.catchup import nobody_else
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.early import EarlyWrites
from streams.runtime.fold import Fold
from streams.runtime.job import Job
from streams.runtime.partition import Partition
from streams.runtime.readers import Readers
from streams.runtime.recovery import Manner, Recovery
from streams.runtime.replays import carry_out, lead_of
from streams.runtime.state import StateStore, state_path


class Opening:
    """One attempt for one partition. Closes what it opened if it does not succeed."""

    def __init__(self, job: Job, consumer: LogConsumer, readers: Readers, partition: int, manner: Manner) -> None:
        self._job = job
        self._consumer = consumer
        self._readers = readers
        self._partition = partition
        self._manner = manner
        self._store: StateStore | None = None

    async def open(self) -> Partition:
        """A partition that stands at its committed positions. Raises PositionLostError, and what its parts raise."""
        producer = self._job.client.producer(self._job.name, self._partition)
        try:
            await producer.start()
            if self._job.spec.keeps_state:
                self._store = StateStore(state_path(self._job.state_dir, self._job.name, self._partition))
            early = await self._claim(producer)
            async with self._readers.lent() as reader:
                fold, checkpoints = await self._recover(reader, early)
                partition = Partition(self._job, self._partition, fold, producer, self._store)
                await carry_out(self._job, reader, partition, checkpoints)
            return partition
        except PositionLostError as error:
            await self._give_up(producer)
            raise PositionLostError(f"{self._job.name}/{self._partition}: {error.message}", error.hint) from error
        except BaseException:
            await self._give_up(producer)
            raise

    async def _give_up(self, producer: LogProducer) -> None:
        if self._store is not None:
            self._store.close()
        await producer.close()

    async def _claim(self, producer: LogProducer) -> EarlyWrites | None:
        """Takes the outside stores over."""
        job, number = self._job, self._partition
        if job.factory.claim is None:
            return None
        stores = await job.factory.claim(number)
        return None if self._store is None else EarlyWrites(job, number, producer, self._store, stores)

    async def _recover(self, reader: LogReader, early: EarlyWrites | None) -> tuple[Fold, dict[str, Checkpoint]]:
        job, number = self._job, self._partition
        checkpoints = await read_checkpoints(reader, job.name, number)
        if early is not None:
            early.bind(checkpoints)
        goal = await committed_standing(job, self._consumer, reader, number, checkpoints.get(TIP))
        announce = nobody_else if early is None else early.announce
        recovery = Recovery(job, number, reader, goal, checkpoints, self._manner, job.factory.make, announce=announce)
        fold = await recovery.fold(self._store)
        if early is not None:
            await early.settle()
        if fold.deferral is not None:
            await fold.deferral.load(reader, fold.positions)
        fold.outbox.lead = await lead_of(job, reader, number, fold.positions[job.marked], fold.sequence)
        return fold, checkpoints


async def committed_standing(
    job: Job, consumer: LogConsumer, reader: LogReader, partition: int, tip: Checkpoint | None
) -> Standing:
    """Where the owner of a partition stands, or goes on. Raises PositionLostError, LogError."""
    sources = [TopicPartition(topic, partition) for topic in job.spec.inputs]
    committed = await consumer.committed(sources)
    bounds = await reader.bounds(sources)
    return stand(
        job.marked,
        {source.topic: offset for source, offset in committed.items()},
        {source.topic: bound for source, bound in bounds.items()},
        tip,
    )
