"""Which agents the memory agent has erased, from the compacted topic memory.erasures.

Memory: about 300 bytes for each erased agent.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from schemas.codec import SchemaError, codec
from schemas.records import Erasure
from streams.serving.tail import TopicTail, each
from streams.settings import KafkaSettings
from streams.topics import ERASURES


class Carried(NamedTuple):
    """An erasure that was carried out, and where in memory.erasures that stands."""

    record: Erasure
    partition: int
    offset: int


class ErasureTable(Protocol):
    """Erasures by agent."""

    async def fresh(self, agent: bytes) -> Carried | None:
        """As of everything committed before the call; None if the agent's ERASE was not carried out."""


class ErasureTail:
    """An ErasureTable on Kafka."""

    def __init__(self, settings: KafkaSettings, timeout: float) -> None:
        """``timeout``: seconds that ``fresh`` may wait."""
        self._fold = each(settings, ERASURES, self._read)
        self.tail = TopicTail(settings, ERASURES, self._fold)
        self._timeout = timeout
        self._erasures: dict[bytes, Carried] = {}

    def start(self) -> None:
        """Begins to follow the topic."""
        self.tail.start()

    async def stop(self) -> None:
        """Stops following."""
        await self.tail.stop()

    async def fresh(self, agent: bytes) -> Carried | None:
        await self.tail.barrier(self._timeout)
        return self._erasures.get(agent)

    def _read(self, record: Any) -> None:
        name, found = codec().decode(record.value)
        if name != "Erasure" or found["agent"] != record.key:
            raise SchemaError(f"a {name} that is not this key's erasure")
        self._erasures[record.key] = Carried(found, record.partition, record.offset)
