"""Replays of one stream agent's partition: reading what is asked for, and taking back what is to be done again.

Taking back is part of opening a partition, so nothing else waits for it, and whoever opens the partition next goes on with it:
each transaction undoes some of the newest live blocks, as a reorganisation would, and moves the committed position in front of
them. From there it is work as any other, until the position is where it was before.
Invariant: a replay that cannot be carried out is refused in the log, with the reason, and stops nothing.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace

from schemas.codec import SchemaError, UnknownSchemaError, codec
from streams import topics
from streams.core.chain import LiveBlock
from streams.core.checkpoint import Checkpoint
from streams.core.record import MARKER
from streams.core.replay import Phase, Replay, due, key_of
from streams.core.undo import plan_take_back
from streams.errors import LogIntegrityError, OutdatedError, PositionLostError
from streams.ports.log import LogReader, TopicPartition
from streams.runtime import metrics
from streams.runtime.decode import decode
from streams.runtime.job import Job
from streams.runtime.partition import Partition
from streams.runtime.surveys import live_parts, lowest_height

_log = logging.getLogger(__name__)

FIRST_LOOK = 64
"""Offsets at the end of a log that are looked through first for its last marker."""


async def read_replays(reader: LogReader, stream_agent: str, partition: int) -> tuple[Replay | None, Replay | None]:
    """The newest request and status; bytes under their keys that are neither count as none. Raises OutdatedError."""
    return _pair(await _newest(reader, partition), stream_agent, partition)


async def all_replays(reader: LogReader, partition: int) -> dict[str, tuple[Replay | None, Replay | None]]:
    """The newest request and status of a partition, by stream agent. Raises as ``read_replays`` does."""
    newest = await _newest(reader, partition)
    names = {name.decode() for key in newest if (name := key.rsplit(b"/", 2)[0]).isascii()}
    pairs = {name: _pair(newest, name, partition) for name in sorted(names)}
    return {name: pair for name, pair in pairs.items() if any(pair)}


async def _newest(reader: LogReader, partition: int) -> dict[bytes, bytes | None]:
    """The last value of each key. Anybody may have written, so what lies under keys of nobody's is never decoded."""
    source = TopicPartition(topics.REPLAYS, partition)
    first, stop = (await reader.bounds([source]))[source]
    newest: dict[bytes, bytes | None] = {}
    async for messages in reader.read_range(source, first, stop):
        newest |= {message.key: message.value for message in messages if message.key is not None}
    return newest


def _pair(newest: Mapping[bytes, bytes | None], stream_agent: str, partition: int) -> tuple[Replay | None, Replay | None]:
    keys = (key_of(stream_agent, partition, request=asked) for asked in (True, False))
    request, status = (_own(stream_agent, key, newest.get(key)) for key in keys)
    return request, status


def _own(stream_agent: str, key: bytes, value: bytes | None) -> Replay | None:
    try:
        return None if value is None else _replay(key, value)
    except LogIntegrityError as error:
        _log.warning("%s: %s; it counts as none", stream_agent, error.message)
        metrics.GARBAGE.labels(stream_agent, topics.REPLAYS).inc()
        return None


def _replay(key: bytes, value: bytes) -> Replay:
    try:
        kind, record = codec().decode(value)
    except UnknownSchemaError as error:
        raise OutdatedError(topics.REPLAYS, str(error)) from error
    except SchemaError as error:
        raise LogIntegrityError(f"{topics.REPLAYS}: {key.decode()}: {error}") from error
    if kind != "Replay" or (found := Replay.of(record)).key != key:
        raise LogIntegrityError(f"{topics.REPLAYS} holds something else than a replay of {key.decode()} under its key")
    return found


async def carry_out(job: Job, reader: LogReader, partition: Partition, checkpoints: Mapping[str, Checkpoint]) -> None:
    """Takes back what a replay that is due still has to, if there is one. ``partition``: just opened, and running nowhere."""
    request, status = await read_replays(reader, job.name, partition.number)
    partition.request = request.id if request is not None else ""
    replay = due(request, status)
    if replay is None or replay.phase is Phase.REDOING:
        partition.replay = replay
        return
    at = partition.positions[job.marked]
    replay = replace(replay, goal=max(at, replay.goal or 0))
    try:
        left = await _left(job, partition, replay, checkpoints)
    except PositionLostError as error:
        await partition.take_back(None, replay.refused(error.message))
        return
    replay = replace(replay, total=left + replay.undone)
    if not replay.total:
        await partition.take_back(None, replay.refused(f"block {replay.block} is not in the log yet"))
        return
    _log.info("%s/%d: takes %d blocks back, down to %d", job.name, partition.number, left, replay.block)
    async with aclosing(_known(job, partition, replay, checkpoints)) as parts:
        await _take_back(job, partition, replay, parts)


async def _left(job: Job, partition: Partition, replay: Replay, checkpoints: Mapping[str, Checkpoint]) -> int:
    """How many live blocks are to be taken back. Raises PositionLostError if the log no longer holds them all."""
    known, head = partition.known, partition.head
    if head is None or head.number < replay.block:
        return 0
    if known and known[-1].block.number < replay.block:
        return head.number - replay.block + 1
    at = partition.positions[job.marked]
    lowest = await lowest_height(job, partition.number, at, replay.block, checkpoints)
    return 0 if lowest is None else head.number - lowest + 1


async def _take_back(job: Job, partition: Partition, replay: Replay, parts: AsyncIterator[list[LiveBlock]]) -> None:
    """``parts``: of the live chain, newest first; one is asked for when what is at hand may not be enough for a transaction."""
    limits = job.limits
    known: list[LiveBlock] = []
    more = True
    while True:
        while more and len(known) <= limits.replay_blocks:
            part = await anext(parts, None)
            more = part is not None
            known += part or []
        plan = plan_take_back(known, replay.block, limits.replay_blocks, limits.replay_records)
        if plan is None:
            return
        known = known[len(plan.blocks) :]
        undone = replay.undone + len(plan.blocks)
        phase = Phase.REDOING if undone == replay.total else Phase.UNDOING
        replay = replace(replay, phase=phase, undone=undone, start=plan.blocks[-1].start)
        await partition.take_back(plan, replay)


async def _known(
    job: Job, partition: Partition, replay: Replay, checkpoints: Mapping[str, Checkpoint]
) -> AsyncGenerator[list[LiveBlock]]:
    """Live blocks, newest first, down below the first to be done again or to the beginning of the log.

    With the state digest that any checkpoint of the same block holds: equal blocks, equal digests.
    """
    known, head = partition.known, partition.head
    if head is None or (known and known[-1].block.number < replay.block):
        yield known
        return
    states = {c.at.block.hash: c.at.state for c in checkpoints.values() if c.at.state is not None}
    at = partition.positions[job.marked]
    found = live_parts(job, partition.number, at, head.number, number=replay.block, checkpoints=checkpoints)
    async with aclosing(found) as parts:
        async for part in parts:
            yield [replace(live, state=states.get(live.block.hash)) for live in part.blocks]


async def lead_of(job: Job, reader: LogReader, partition: int, position: int, sequence: int) -> int:
    """How far sequences in the output log are ahead of the input's: what replays have added so far.

    ``sequence``: of the last marker in front of ``position`` in the marked input; -1 if it is not known.
    """
    if not job.spec.logs:
        return 0
    output = TopicPartition(job.spec.logs[0], partition)
    written = await _last_sequence(job, reader, output, (await reader.bounds([output]))[output])
    if written is None:
        return 0
    if sequence < 0 < position:
        source = TopicPartition(job.marked, partition)
        first = (await reader.bounds([source]))[source][0]
        found = await _last_sequence(job, reader, source, (first, position))
        sequence = -1 if found is None else found
    return max(0, written - sequence)


async def _last_sequence(job: Job, reader: LogReader, source: TopicPartition, bounds: tuple[int, int]) -> int | None:
    first, stop = bounds
    span = FIRST_LOOK
    while stop > first:
        start = max(first, stop - span)
        found = None
        async for messages in reader.read_range(source, start, stop):
            for record in decode(source, messages):
                if record.type == MARKER:
                    job.verify(record)
                    found = record.value["sequence"]
        if found is not None:
            return int(found)
        stop, span = start, 8 * span
    return None
