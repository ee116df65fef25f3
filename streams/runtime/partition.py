"""One running partition of one stream agent: what it takes at once becomes at most one transaction.

Order: fold, flush outside stores, write outputs with checkpoints, commit them with the offsets, then local state. Whatever
fails, the partition is closed and opened anew from what is durable.
Invariants: offsets move only behind whole units (the own watermark is asserted before each commit), and everything that follows
from a record is visible if and only if its offset is committed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from streams.core.block import BlockRef
from streams.core.chain import LiveBlock
from streams.core.checkpoint import TIP
from streams.core.deferral import Waiting
from streams.core.replay import Replay
from streams.core.segment import Block, Outside, Unit
from streams.core.undo import UndoPlan
from streams.core.watermark import Watermark
from streams.metrics import count_error
from streams.ports.log import LogProducer, Message, TopicPartition
from streams.runtime import metrics
from streams.runtime.decode import decode
from streams.runtime.fold import Fold
from streams.runtime.freshness import committed
from streams.runtime.job import Job
from streams.runtime.state import StateStore
from streams.tracing import BlockSpans, current, parent_of


class Partition:
    """``fold`` stands at the committed positions; ``producer`` was started before these were read.

    ``request``: id of the newest replay asked for when it was opened. ``replay``: one that is being done again.
    """

    def __init__(self, job: Job, partition: int, fold: Fold, producer: LogProducer, store: StateStore | None) -> None:
        self.number = partition
        self.request = ""
        self.replay: Replay | None = None
        self._job = job
        self._fold = fold
        self._producer = producer
        self._store = store
        self._slots: dict[str, bytes] = {}
        self._clock = asyncio.get_running_loop().time
        self._written = self._clock()
        self._reading = dict(fold.positions)
        self._marks = {topic: Watermark(position) for topic, position in fold.positions.items()}

    @property
    def positions(self) -> dict[str, int]:
        """Next offset to process of each input."""
        return dict(self._fold.positions)

    @property
    def rewinding(self) -> float:
        """Seconds since a rewind under way began; 0 if there is none."""
        since = self._fold.rewinding_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def waiting(self) -> Waiting | None:
        """Records that were set aside; None where none ever are."""
        return None if self._fold.deferral is None else self._fold.deferral.waiting

    @property
    def reading(self) -> dict[str, int]:
        """Next offset to read of each input: behind what was received, the last of which may wait for its marker."""
        return dict(self._reading)

    async def step(self, messages: Mapping[str, Sequence[Message]]) -> int:
        """Takes the next records of each input topic; how many are settled now. On any error the partition must be closed."""
        before = dict(self._fold.positions)
        units: list[Unit] = []
        for topic, batch in messages.items():
            self._marks[topic].received([message.offset for message in batch])
            self._reading[topic] = batch[-1].offset + 1
            units += self._fold.assemble(topic, decode(TopicPartition(topic, self.number), batch))
        if not units:
            return 0
        with self._traced(messages, units):
            await self._fold.run(units)
            await self._fold.finish()
            settled = self._settle(units)
            self._reach()
            moved = {topic: at for topic, at in self._fold.positions.items() if at != before[topic]}
            await self._commit(moved, settled)
        committed(self._job.name, units)
        self._fold.careful = False
        return settled

    @contextmanager
    def _traced(self, messages: Mapping[str, Sequence[Message]], units: Sequence[Unit]) -> Iterator[None]:
        """Spans of the blocks among ``units``, where their markers carry a context."""
        tracing = current()
        if tracing is None:
            yield
            return
        parents = {message.offset: parent_of(message) for message in messages.get(self._job.marked, ()) if message.key is None}
        blocks = [
            (unit.marker.block.hash, unit.marker.block.number, parent)
            for unit in units
            if isinstance(unit, Block) and (parent := parents.get(unit.offset)) is not None
        ]
        spans = BlockSpans(tracing, self._job.name, blocks, partition=self.number)
        outbox = self._fold.outbox
        outbox.traced = spans.headers
        try:
            yield
        except BaseException as error:
            spans.end(error)
            raise
        finally:
            outbox.traced, outbox.headers = {}, {}
        spans.end()

    @property
    def known(self) -> list[LiveBlock]:
        """The newest live blocks, newest first."""
        return self._fold.chain.newest(len(self._fold.chain))

    @property
    def head(self) -> BlockRef | None:
        """The tip of the live chain."""
        return self._fold.chain.head

    async def take_back(self, plan: UndoPlan | None, status: Replay) -> None:
        """Undoes the newest live blocks and moves the position back in front of them, in one transaction that says so.

        Without a plan only the status is written. On any error the partition must be closed.
        """
        self._fold.outbox.replay(status)
        moved: dict[str, int] = {}
        if plan is not None:
            await self._fold.take_back(plan)
            await self._fold.finish()
            marked = self._job.marked
            moved = {marked: self._fold.positions[marked]}
            self._reading |= moved
            self._marks[marked] = Watermark(moved[marked])
        await self._commit(moved, 0)
        if self._store is not None:
            await self._save(self._store)
        self.replay = None if status.over else status

    def _reach(self) -> None:
        """Notes that a replay has come to where it began."""
        replay = self.replay
        if replay is not None and replay.goal is not None and self._fold.positions[self._job.marked] >= replay.goal:
            self._fold.outbox.replay(replay.done())
            self.replay = None

    def _settle(self, units: Sequence[Unit]) -> int:
        total = 0
        for unit in units:
            self._marks[unit.topic if isinstance(unit, Outside) else self._job.marked].settled(unit.size)
            total += unit.size
        for topic, position in self._fold.positions.items():
            self._marks[topic].commit(position)
        return total

    async def _commit(self, moved: Mapping[str, int], settled: int) -> None:
        dead, blocks = self._fold.outbox.dead, self._fold.blocks
        outputs, slots = self._fold.outbox.take()
        await self._producer.begin()
        if self._fold.outbox.headers:
            await self._producer.send(outputs, self._fold.outbox.headers)
        else:
            await self._producer.send(outputs)
        if moved:
            await self._producer.send_offsets({TopicPartition(topic, self.number): at for topic, at in moved.items()})
        await self._producer.commit()
        self._fold.agent.committed()
        self._count(settled, sum(map(len, outputs.values())), dead, blocks)
        if self._store is not None:
            self._slots |= slots
            await self._write_state(self._store)

    async def _write_state(self, store: StateStore) -> None:
        limits = self._job.limits
        if store.size >= limits.state_bytes or self._clock() - self._written >= limits.state_seconds:
            await self._save(store)

    async def _save(self, store: StateStore) -> None:
        if self._slots:
            await store.save(self._slots, TIP)
            self._slots = {}
        self._written = self._clock()

    def _count(self, settled: int, outputs: int, dead: Sequence[Exception], blocks: int) -> None:
        name, number = self._job.name, str(self.number)
        metrics.COMMITS.labels(name).inc()
        metrics.RECORDS.labels(name).inc(settled)
        metrics.OUTPUTS.labels(name).inc(outputs)
        metrics.BLOCKS.labels(name).inc(blocks)
        self._fold.blocks = 0
        if dead:
            metrics.DEAD_LETTERS.labels(name).inc(len(dead))
        for error in dead:
            count_error(error)
        for topic, mark in self._marks.items():
            metrics.POSITION.labels(name, topic, number).set(mark.position)
        if self._fold.chain.head is not None:
            metrics.BLOCK_NUMBER.labels(name, number).set(self._fold.chain.head.number)

    async def park(self) -> bool:
        """Writes local state while work rests, so that whoever opens it next finds it; False if that failed."""
        try:
            if self._store is not None:
                await self._save(self._store)
        except Exception:  # to be closed: the log covers it
            metrics.REBUILDS.labels(self._job.name, "state").inc()
            return False
        return True

    async def close(self, *, keep: bool) -> None:
        """Stops. ``keep``: nothing failed, so local state is worth writing. Never raises."""
        await self._producer.close()
        if self._store is not None:
            try:
                if keep:
                    await self._save(self._store)
            except Exception:  # the log covers it: the next owner replays from the older state
                metrics.REBUILDS.labels(self._job.name, "state").inc()
            finally:
                self._store.close()
