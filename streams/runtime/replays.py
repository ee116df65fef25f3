"""Replays of one stream agent's partition: reading what is asked for, and taking back what is to be done again.

Taking back is part of opening a partition, so nothing else waits for it, and whoever opens the partition next goes on with it:
each transaction undoes some of the newest live blocks, as a reorganisation would, and moves the committed position in front of
them. From there it is work as any other, until the position is where it was before.
Invariant: a replay that cannot be carried out is refused in the log, with the reason, and stops nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
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
from streams.runtime.decode import decode
from streams.runtime.job import Job
from streams.runtime.partition import Partition
from streams.runtime.rewind import Rewinder

_log = logging.getLogger(__name__)

FIRST_LOOK = 64
"""Offsets at the end of a log that are looked through first for its last marker."""


async def read_replays(reader: LogReader, stream_agent: str, partition: int) -> tuple[Replay | None, Replay | None]:
    """The newest request and status. Raises LogIntegrityError for bytes under their keys that are neither, OutdatedError."""
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
    request, status = (_replay(newest, key_of(stream_agent, partition, request=asked)) for asked in (True, False))
    return request, status


def _replay(newest: Mapping[bytes, bytes | None], key: bytes) -> Replay | None:
    value = newest.get(key)
    if value is None:
        return None
    try:
        kind, record = codec().decode(value)
    except UnknownSchemaError as error:
        raise OutdatedError(topics.REPLAYS, str(error)) from error
    except SchemaError as error:
        raise LogIntegrityError(f"{topics.REPLAYS}: {error}") from error
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
    try:
        known = await _known(job, partition, replay, checkpoints)
    except PositionLostError as error:
        await partition.take_back(None, replay.refused(error.message))
        return
    await _take_back(job, partition, replay, known)


async def _take_back(job: Job, partition: Partition, replay: Replay, known: Sequence[LiveBlock]) -> None:
    at = partition.positions[job.marked]
    left = sum(live.block.number >= replay.block for live in known)
    total = left + replay.undone
    replay = replace(replay, goal=max(at, replay.goal or 0), total=total)
    if not total:
        await partition.take_back(None, replay.refused(f"block {replay.block} is not in the log yet"))
        return
    _log.info("%s/%d: takes %d blocks back, down to %d", job.name, partition.number, left, replay.block)
    limits = job.limits
    while plan := plan_take_back(known, replay.block, limits.replay_blocks, limits.replay_records):
        known = known[len(plan.blocks) :]
        undone = replay.undone + len(plan.blocks)
        phase = Phase.REDOING if undone == total else Phase.UNDOING
        replay = replace(replay, phase=phase, undone=undone, start=plan.blocks[-1].start)
        await partition.take_back(plan, replay)


async def _known(job: Job, partition: Partition, replay: Replay, checkpoints: Mapping[str, Checkpoint]) -> list[LiveBlock]:
    """Live blocks, newest first, down below the first to be done again or to the beginning of the log.

    With the state digest that any checkpoint of the same block holds: equal blocks, equal digests.
    """
    known = partition.known
    if known and known[-1].block.number < replay.block:
        return known
    states = {c.at.block.hash: c.at.state for c in checkpoints.values() if c.at.state is not None}
    surveyed = await live_blocks(job, partition.number, partition.positions[job.marked], replay.block, checkpoints)
    return [replace(live, state=states.get(live.block.hash)) for live in surveyed]


async def live_blocks(
    job: Job, partition: int, stop: int, number: int, checkpoints: Mapping[str, Checkpoint]
) -> list[LiveBlock]:
    """The live chain at offset ``stop`` of the marked input, newest first, down below height ``number``, from the log itself.

    Raises PositionLostError if the log no longer reaches down there.
    """
    rewinder = Rewinder(job, partition)
    try:
        chain = await rewinder.survey(stop, number, checkpoints)
    finally:
        await rewinder.close()
    return chain.newest(len(chain))


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
