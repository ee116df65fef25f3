"""Checkpoints of a pipeline as an operator sees them: which there are and why, and some of one's own.

Invariant: a checkpoint that is made here says where a partition stood at a commit, as its owner wrote it; no owner's slot is
touched. At most LIMIT of one's own for a stream agent, so that owners' reads of the topic stay quick.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.codec import codec
from streams import topics
from streams.core.checkpoint import NAMED, NOWHERE, REDO, TIP, Checkpoint, Trigger, trigger_of
from streams.errors import Category, MonmouthError, Severity
from streams.ports.log import LogReader, TopicPartition
from streams.runtime.checkpoints import read_checkpoints
from streams.upkeep.pipeline import Pipeline

COMMAND = "checkpoint"
LIMIT = 100
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class CheckpointError(MonmouthError):
    """A checkpoint that cannot be made or found."""

    category = Category.PROCESSING
    severity = Severity.MEDIUM


@dataclass(frozen=True, slots=True)
class Listed:
    """One checkpoint. ``offset``: next to read of the marked input. ``time``: of the block, unix seconds."""

    stream_agent: str
    partition: int
    slot: str
    trigger: Trigger
    block: int
    block_hash: bytes
    offset: int
    digest: bytes | None
    time: int | None

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        return {
            "agent": self.stream_agent,
            "partition": self.partition,
            "slot": self.slot,
            "trigger": self.trigger.value,
            "block": self.block,
            "block_hash": f"0x{self.block_hash.hex()}",
            "offset": self.offset,
            "digest": self.digest.hex() if self.digest is not None else None,
            "time": self.time,
        }


async def listed(pipeline: Pipeline, agents: Sequence[str], partitions: Sequence[int]) -> list[Listed]:
    """All that are live, by stream agent, partition and block. Raises ConfigurationError, LogError."""
    for agent in agents:
        pipeline.lookup(agent)
    reader = pipeline.client.reader()
    try:
        found = [each for agent in agents for number in partitions for each in await _listed(reader, agent, number)]
    finally:
        await reader.close()
    return found


async def _listed(reader: LogReader, agent: str, number: int) -> list[Listed]:
    checkpoints = (await read_checkpoints(reader, agent, number)).values()
    rows = [
        Listed(
            agent, number, c.slot, trigger_of(c.slot), c.at.block.number, c.at.block.hash, c.offsets.get(c.topic, 0),
            c.at.state, c.at.time,
        )
        for c in checkpoints
        if c.live and c.slot != REDO and c.at.block != NOWHERE
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row.block, row.slot))


async def create(pipeline: Pipeline, agent: str, name: str, partitions: Sequence[int]) -> list[Checkpoint]:
    """Writes down, under a name, where the partitions stand. One of that name is overwritten.

    Raises CheckpointError, LogError.
    """
    pipeline.lookup(agent)
    if not NAME.fullmatch(name):
        raise CheckpointError(f"{name!r} is no name for a checkpoint", "Letters, digits, '.', '_' and '-', 64 at most.")
    reader = pipeline.client.reader()
    try:
        made = [await _made(reader, agent, name, number) for number in partitions]
    finally:
        await reader.close()
    await _write(pipeline, {checkpoint.partition: (checkpoint.key, checkpoint) for checkpoint in made})
    return made


async def _made(reader: LogReader, agent: str, name: str, number: int) -> Checkpoint:
    found = await read_checkpoints(reader, agent, number)
    tip = found.get(TIP)
    if tip is None or tip.at.block == NOWHERE:
        raise CheckpointError(f"{agent}/{number} has not taken a block in yet")
    own = {slot for slot, c in found.items() if slot.startswith(NAMED) and c.live}
    if len(own - {NAMED + name}) >= LIMIT:
        raise CheckpointError(f"{agent}/{number} has {LIMIT} checkpoints of your own", "See 'monmouth checkpoint delete'.")
    return replace(tip, slot=NAMED + name)


async def delete(pipeline: Pipeline, agent: str, name: str, partitions: Sequence[int]) -> int:
    """Removes one's own checkpoint; from how many partitions. Raises CheckpointError if there is none of that name."""
    pipeline.lookup(agent)
    reader = pipeline.client.reader()
    try:
        slots = {number: (await read_checkpoints(reader, agent, number)).get(NAMED + name) for number in partitions}
    finally:
        await reader.close()
    held = {number: checkpoint for number, checkpoint in slots.items() if checkpoint is not None}
    if not held:
        raise CheckpointError(f"{agent} has no checkpoint {NAMED}{name}", "See 'monmouth checkpoint list'.")
    await _write(pipeline, {number: (checkpoint.key, None) for number, checkpoint in held.items()})
    return len(held)


async def _write(pipeline: Pipeline, rows: dict[int, tuple[bytes, Checkpoint | None]]) -> None:
    producer = pipeline.client.producer(COMMAND, 0)
    try:
        await producer.start()
        await producer.begin()
        await producer.send(
            {
                TopicPartition(topics.CHECKPOINTS, number): [
                    (key, None if row is None else codec().encode("Checkpoint", row.record()))
                ]
                for number, (key, row) in rows.items()
            }
        )
        await producer.commit()
    finally:
        await producer.close()
