"""The rows of one partition in a store of memories, as the next owner of the partition would have them.

To write there, the partition is taken over for a moment: the producer of the stream agent that writes is fenced first, then the
store is claimed. The owner opens its partition anew, and goes on. Assumes nothing of how this ends: whoever exchanges rows may
be killed after old ones were taken out and before new ones were put in.
Invariant: before the first row goes, the log says that an owner wrote early and is not through (``Redo``), and when the last
one is there, that it is. So after a cut in between, whoever opens the partition next fills the store from the log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from schemas.records import MemoryFact
from streams.core.checkpoint import Redo
from streams.ports.stores import MemoryStore
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.early import say
from streams.upkeep.pipeline import Pipeline

WRITER = "memory"
"""The stream agent that writes rows."""
Tell = Callable[[Redo], Awaitable[None]]


class OwnedRows:
    """``store``: as claimed. ``tell``: has the log say it. ``last``: what it says so far."""

    def __init__(self, store: MemoryStore, tell: Tell, last: Redo = Redo()) -> None:  # noqa: B008  (immutable)
        self.store = store
        self._tell = tell
        self._last = last

    async def exchange(self, out: Sequence[MemoryFact], new: Sequence[MemoryFact]) -> None:
        """Takes facts out, then puts others in. Raises StoreError, and what telling the log raises."""
        if not out and not new:
            return
        count = self._last.count + 1
        if not self._last.unfinished:  # else somebody else's work waits to be done again, and does after this too
            await self._tell(Redo(count, unfinished=True))
        await self.store.revert(out)
        await self.store.apply(new)
        if not self._last.unfinished:
            self._last = Redo(count)
            await self._tell(self._last)


@asynccontextmanager
async def owned_rows(pipeline: Pipeline, store: MemoryStore, partition: int, lane: bytes) -> AsyncIterator[OwnedRows]:
    """Takes the partition over. ``lane``: its name in the store. Raises LogError, StoreError."""
    producer = pipeline.owner(WRITER).producer(WRITER, partition)
    reader = pipeline.client.reader()
    marked = pipeline.lookup(WRITER).inputs[0]

    async def tell(redo: Redo) -> None:
        await say(producer, redo.checkpoint(WRITER, partition, marked))

    try:
        await producer.start()
        claimed = await store.claim(lane)
        last = Redo.of(await read_checkpoints(reader, WRITER, partition))
        yield OwnedRows(claimed, tell, last)
    finally:
        await reader.close()
        await producer.close()
