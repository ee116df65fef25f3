"""Writes to outside stores by an owner that does committed work again and is not through with it yet.

Such work waits in memory, for an owner lost on the way must leave nothing in a store that its successor, who may be past it,
would never take back. What is too much to hold is written early all the same, and the log is told first: the slot REDO of the
checkpoints counts such owners and says whether the last one got through.
Assumes the partition's producer was started, so that owners take turns.
Invariant: local state is bound to the stores it was kept beside and, where the last such owner did not get through, to that
owner's count. So whoever did not write early himself does all the work again, and takes back what stands too much.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from schemas.codec import codec
from streams import topics
from streams.core.checkpoint import Checkpoint, Redo
from streams.ports.log import LogProducer, TopicPartition
from streams.runtime.job import Job
from streams.runtime.state import StateStore

_log = logging.getLogger(__name__)
NAMELESS = b"?"
"""Stands for stores that cannot tell their identity."""


async def say(producer: LogProducer, checkpoint: Checkpoint) -> None:
    """Writes one slot, in a transaction of its own."""
    target = TopicPartition(topics.CHECKPOINTS, checkpoint.partition)
    await producer.begin()
    await producer.send({target: [(checkpoint.key, codec().encode("Checkpoint", checkpoint.record()))]})
    await producer.commit()


class EarlyWrites:
    """Of one owner of a partition. ``stores``: the identity of its outside stores."""

    def __init__(self, job: Job, partition: int, producer: LogProducer, state: StateStore, stores: bytes) -> None:
        self._job = job
        self._partition = partition
        self._producer = producer
        self._state = state
        self._stores = stores or NAMELESS
        self._last = Redo()
        self._mine = False

    def bind(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Forgets local state that was kept beside other stores, or while somebody else wrote early. Raises StoreError."""
        self._last = Redo.of(checkpoints)
        if not self._state.bind(self._name(self._last), adopt=not self._last.unfinished):
            said = "%s/%d: its store was made anew, or left half done, and is filled from the log"
            _log.warning(said, self._job.name, self._partition)
            return
        self._mine = self._last.unfinished

    async def announce(self) -> None:
        """Must return before the first early write. Raises what the producer raises, StoreError."""
        if not self._mine:
            await self._say(Redo(self._last.count + 1, unfinished=True))
            self._mine = True

    async def settle(self) -> None:
        """Says that all is done: what outside stores hold belongs to the committed positions again."""
        if self._last.unfinished:
            await self._say(Redo(self._last.count))

    async def _say(self, redo: Redo) -> None:
        await say(self._producer, redo.checkpoint(self._job.name, self._partition, self._job.marked))
        self._last = redo
        self._state.rebind(self._name(redo))

    def _name(self, redo: Redo) -> bytes:
        return self._stores + (b"#%d" % redo.count if redo.unfinished else b"")
