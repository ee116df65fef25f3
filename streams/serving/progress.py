"""How far stream agents have come, from their checkpoints.

A stream agent commits, with the outputs of each transaction and after its stores are durable, where it stands: the next offset
of every input, and the newest block taken in. So what stands here is a fact about the stores, a moment late at most.
Invariant: a standing is the last one of its stream agent and partition in the log as far as it has been read; ``fresh`` reads
to the end first. Memory: one standing per stream agent and partition, and what ``sync.kept`` keeps of the memory agent's other
slots; all others are passed over unread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from schemas.codec import SchemaError, codec
from streams.core.block import BlockRef
from streams.core.checkpoint import NOWHERE, TIP, Checkpoint, slot_key
from streams.serving.sync.kept import Kept, KeptCheckpoints
from streams.serving.tail import TopicTail, each
from streams.settings import KafkaSettings
from streams.topics import CHECKPOINTS

_SUFFIX = f"/{TIP}".encode()


@dataclass(frozen=True, slots=True)
class Standing:
    """``offsets``: next to read of each input, by logical topic; ``block``: newest taken in, None before the first."""

    offsets: Mapping[str, int]
    block: BlockRef | None


class Tip(NamedTuple):
    """A commit: the stream agent's newest checkpoint, and when the broker took it, in milliseconds."""

    checkpoint: Checkpoint
    at_ms: int


class ProgressTable(Protocol):
    """Standings of stream agents."""

    async def fresh(self, stream_agent: str, partition: int) -> Standing | None:
        """As of everything committed before the call; None if it has committed nothing yet. Raises UnavailableError."""

    async def fresh_kept(self) -> Mapping[int, Kept]:
        """Checkpoints of the memory agent that are kept, by height, as of everything committed before the call."""


class ProgressTail:
    """A ProgressTable on Kafka."""

    def __init__(self, settings: KafkaSettings, timeout: float, moved: Callable[[Tip], None] | None = None) -> None:
        """``timeout``: seconds that ``fresh`` may wait. ``moved``: told who committed what, before readers are."""
        self._fold = each(settings, CHECKPOINTS, self._read)
        self.tail = TopicTail(settings, CHECKPOINTS, self._fold)
        self._timeout = timeout
        self._standings: dict[bytes, Standing] = {}
        self._moved = moved
        self._kept = KeptCheckpoints(settings.partitions)

    def start(self) -> None:
        """Begins to follow the topic."""
        self.tail.start()

    async def stop(self) -> None:
        """Stops following."""
        await self.tail.stop()

    async def fresh(self, stream_agent: str, partition: int) -> Standing | None:
        await self.tail.barrier(self._timeout)
        return self._standings.get(slot_key(stream_agent, partition, TIP))

    async def fresh_kept(self) -> Mapping[int, Kept]:
        await self.tail.barrier(self._timeout)
        return self._kept.table()

    def _read(self, record: Any) -> None:
        if record.key is None:
            return
        if record.key.endswith(_SUFFIX):
            self._take(record.key, record.value, record.timestamp)
        else:
            self._kept.take(record.key, record.value)

    def _take(self, key: bytes, value: bytes | None, at_ms: int) -> None:
        if value is None:
            self._standings.pop(key, None)
            return
        name, record = codec().decode(value)
        if name != "Checkpoint" or key != slot_key(record["stream_agent"], record["partition"], record["slot"]):
            raise SchemaError(f"a {name} that is not this key's checkpoint")
        tip = Checkpoint.of(record)
        self._standings[key] = Standing(dict(tip.offsets), None if tip.at.block == NOWHERE else tip.at.block)
        if self._moved is not None:
            self._moved(Tip(tip, at_ms))
