"""Follows graph.edges into a GraphTable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from schemas.codec import SchemaError
from streams.errors import ConfigurationError, MonmouthError
from streams.metrics import count_error
from streams.serving import metrics
from streams.serving.graph.events import Registries, event_of
from streams.serving.graph.table import GraphTable
from streams.serving.tail import TopicTail
from streams.settings import GraphSettings, KafkaSettings
from streams.topics import EDGES

log = logging.getLogger(__name__)

ID = 32
TURN = 100
"""Records folded before the event loop gets its turn."""


class GraphSource(Protocol):
    """Where the graph comes from."""

    table: GraphTable

    @property
    def failure(self) -> MonmouthError | None:
        """Why there will be no more answers; None while there are."""

    async def barrier(self) -> None:
        """Returns when the table holds what was in the log at the call. Raises UnavailableError at the deadline."""


class EdgeTail:
    """A GraphSource on Kafka. A full table takes nothing more: the graph gives no answers then, and grows no further."""

    def __init__(self, kafka: KafkaSettings, graph: GraphSettings, timeout: float, final: Callable[[], int | None]) -> None:
        """``timeout``: seconds a barrier may take; ``final``: see GraphTable. Raises ConfigurationError."""
        self.table = GraphTable(graph.max_events, final)
        self.tail = TopicTail(kafka, EDGES, self._fold)
        self._registries = Registries.parse(graph.registries)
        self._timeout = timeout
        self._full: ConfigurationError | None = None
        metrics.GRAPH_EVENTS.set_function(lambda: len(self.table))

    def start(self) -> None:
        """Begins to follow the topic."""
        self.tail.start()

    async def stop(self) -> None:
        """Stops following."""
        await self.tail.stop()

    @property
    def failure(self) -> MonmouthError | None:
        return self._full or self.tail.failure

    async def barrier(self) -> None:
        if self._full is not None:
            raise self._full
        await self.tail.barrier(self._timeout)

    async def _fold(self, records: Sequence[Any]) -> None:
        for turn, record in enumerate(records):
            if self._full is not None:
                return  # what is missing by now would make every answer wrong
            if turn % TURN == TURN - 1:
                await asyncio.sleep(0)  # a put again is harmless, if this fold is cut off here
            try:
                self._take(record.key, record.value)
            except SchemaError as error:
                log.warning("%s, partition %d, offset %d: %s", self.tail.topic, record.partition, record.offset, error)
                metrics.GARBAGE.labels(EDGES).inc()
            except ConfigurationError as error:
                log.error("%s: %s", self.tail.topic, error)  # noqa: TRY400  (the user's to mend; a trace tells nothing)
                count_error(error)
                self._full = error
                metrics.GRAPH_FULL.set(1)

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        if key is None:
            raise SchemaError("an event without a key")
        if value is None:
            self.table.remove(key[-ID:])
        else:
            self.table.put(event_of(key, value, self._registries))
