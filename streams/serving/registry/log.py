"""The registry's table on the compacted topic schemas, with one writer at a time however many processes write.

A change takes over the one transactional id first, which ends and shuts out whoever had it; then reads to the end of the topic;
then decides; then writes in one transaction. Invariants: a decision is made on all that was written before it, or its rows are
not written: whoever was overtaken in between is fenced at the commit, and decides anew. So no id is given twice. A change of
which it was not told whether it was written is answered as what it was, if the table turns out to hold it: a second look at a
deleted subject would find nothing to delete.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any, Protocol

from schemas.codec import SchemaError, codec
from streams.core.registry.decide import Decision
from streams.core.registry.table import Key, Row, RowError, Table
from streams.errors import FencedError
from streams.ports.log import LogClient, LogError, TopicPartition
from streams.runtime.kafka.client import KafkaClient
from streams.serving.faults import UnavailableError
from streams.serving.tail import TopicTail, each
from streams.settings import KafkaSettings
from streams.topics import SCHEMAS

WRITER = "schema-registry"
"""Group in the transactional id, which is this with the topic prefix in front and the partition behind."""
PLACE = TopicPartition(SCHEMAS, 0)
ATTEMPTS = 12
UNSURE = 3
"""Attempts of which the client library could not say how they ended; a writer that is shut out meets such errors too."""
LONGEST_PAUSE = 0.5


class SchemaRegistry(Protocol):
    """The table, and changes to it."""

    table: Table

    async def fresh(self) -> Table:
        """The table with all that was written before the call; not to be kept. Raises UnavailableError."""

    async def change(self, decide: Callable[[Table], Decision]) -> Any:
        """Writes what ``decide`` decides, which may be asked several times; its answer, once readers of this process see it.

        Raises what it raises, UnavailableError.
        """


class RegistryLog:
    """A SchemaRegistry on Kafka. Follows the topic from the first use on. ``stop`` once."""

    def __init__(self, settings: KafkaSettings, timeout: float, client: LogClient | None = None) -> None:
        """``timeout``: seconds that a look or a change may wait for the end of the topic. ``client``: makes the writers."""
        self.table = Table()
        self._client: LogClient = client or KafkaClient(settings)
        self.tail = TopicTail(settings, SCHEMAS, each(settings, SCHEMAS, self._read))
        self._timeout = timeout
        self._started = False
        self._writing = asyncio.Lock()
        self._doubtful: Decision | None = None
        self._awaited: tuple[bytes, bytes | None] | None = None
        self._folded = asyncio.Event()

    async def stop(self) -> None:
        """Safe to call twice."""
        if self._started:
            await self.tail.stop()

    async def fresh(self) -> Table:
        if not self._started:
            self._started = True
            self.tail.start()
        await self.tail.barrier(self._timeout)
        return self.table

    async def change(self, decide: Callable[[Table], Decision]) -> Any:
        decision = decide(await self.fresh())
        if not decision.rows:
            return decision.answer
        unsure = 0
        async with self._writing:
            self._doubtful = None
            for attempt in range(ATTEMPTS):
                try:
                    return await self._write(decide)
                except FencedError:
                    pass
                except LogError as error:  # written or not: the next look at the table, with this writer shut out, tells
                    unsure += 1
                    if unsure == UNSURE:
                        raise UnavailableError(
                            f"the log did not take the change: {error.message}",
                            "Ask what is registered, or register it again, which gives it no second id.",
                        ) from None
                await asyncio.sleep(random.uniform(0, LONGEST_PAUSE * (attempt + 1) / ATTEMPTS))
        raise UnavailableError(f"another process changed the registry {ATTEMPTS} times meanwhile", "Try again.")

    async def _write(self, decide: Callable[[Table], Decision]) -> Any:
        producer = self._client.producer(WRITER, PLACE.partition)
        try:
            await producer.start()
            table, doubtful = await self.fresh(), self._doubtful
            if doubtful is not None and _holds(table, doubtful):
                return doubtful.answer
            decision, self._doubtful = decide(table), None
            if not decision.rows:
                return decision.answer
            rows = [(bytes(key), None if row is None else _encoded(row)) for key, row in decision.rows]
            self._awaited, self._folded = rows[-1], asyncio.Event()
            try:
                await producer.begin()
                await producer.send({PLACE: rows})
                await producer.commit()
            except LogError:
                self._doubtful = decision
                raise
        finally:
            await producer.close()
        with contextlib.suppress(TimeoutError):  # the broker calls a commit done a moment before readers see it
            await asyncio.wait_for(self._folded.wait(), self._timeout)
        return decision.answer

    def _read(self, record: Any) -> None:
        try:
            self.table.take(Key.of(record.key or b""), None if record.value is None else _decoded(record.value))
        except RowError as error:
            raise SchemaError(str(error)) from None
        finally:
            if (record.key, record.value) == self._awaited:
                self._folded.set()


def _holds(table: Table, decision: Decision) -> bool:
    """Whether each row of it is the newest of its key."""
    newest = {row.key: row for row in table.rows()}
    return all(newest.get(key) == row for key, row in decision.rows)


def _encoded(row: Row) -> bytes:
    return codec().encode("SchemaEntry", row.record())


def _decoded(value: bytes) -> Row:
    name, record = codec().decode(value)
    if name != "SchemaEntry":
        raise SchemaError(f"a {name} does not belong here")
    return Row.of(record)
