"""Keys and grants of every agent, from the compacted topic agents.access.

Invariants: a row counts only if a trusted worker signed it, and never over a newer word about the same key; until the topic was
read to its end once there is no answer, so no gateway takes a revoked key for a valid one because it has just started.
``fresh`` reads to the end; ``held`` says what has been read, which is later than the log by the time a record takes to arrive.
Memory: about 400 bytes an agent that has said anything, 100 more for each grant.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.codec import SchemaError, codec
from schemas.records import AgentAccess
from streams.agents.access import Authority, nothing_granted, vouched_for
from streams.identity.tokens import Tokens
from streams.serving import metrics
from streams.serving.attempts import Attempts
from streams.serving.tail import TopicTail
from streams.settings import KafkaSettings
from streams.signing import Verifier
from streams.topics import ACCESS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Doorkeeping:
    """What the routes about keys, tokens and grants work with."""

    table: AccessTable
    tokens: Tokens
    attempts: Attempts
    authority: Authority


class AccessTable(Protocol):
    """Keys and grants by agent."""

    async def held(self, agent: bytes) -> AgentAccess:
        """What has been read so far. Raises UnavailableError."""

    async def fresh(self, agent: bytes) -> AgentAccess:
        """As of everything committed before the call. Raises UnavailableError."""


class AccessTail:
    """An AccessTable on Kafka."""

    def __init__(self, settings: KafkaSettings, verifier: Verifier, timeout: float) -> None:
        """``timeout``: seconds that a read may wait."""
        self.tail = TopicTail(settings, ACCESS, self._fold)
        self._verifier = verifier
        self._timeout = timeout
        self._rows: dict[bytes, AgentAccess] = {}
        self._complete = False

    def start(self) -> None:
        """Begins to follow the topic."""
        self.tail.start()

    async def stop(self) -> None:
        """Stops following."""
        await self.tail.stop()

    async def held(self, agent: bytes) -> AgentAccess:
        if not self._complete:
            return await self.fresh(agent)
        if self.tail.failure is not None:
            raise self.tail.failure
        return self._rows.get(agent) or nothing_granted(agent)

    async def fresh(self, agent: bytes) -> AgentAccess:
        await self.tail.barrier(self._timeout)
        self._complete = True
        return self._rows.get(agent) or nothing_granted(agent)

    async def _fold(self, records: Sequence[Any]) -> None:
        for record in records:
            try:
                self._take(record.key, record.value)
            except SchemaError as error:
                log.warning("%s, partition %d, offset %d: %s", self.tail.topic, record.partition, record.offset, error)
                metrics.GARBAGE.labels(ACCESS).inc()

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        if value is None:  # an agent that was erased
            self._rows.pop(key or b"", None)
            return
        name, row = codec().decode(value)
        if name != "AgentAccess" or row["agent"] != key:
            raise SchemaError(f"a {name} that is not this key's")
        if not vouched_for(row, self._verifier):
            raise SchemaError("keys and grants that no trusted worker signed")
        before = self._rows.get(row["agent"])
        if before is not None and (row["since"] or 0) < (before["since"] or 0):
            raise SchemaError("an older word about an agent's key")
        self._rows[row["agent"]] = row
