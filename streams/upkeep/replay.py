"""Asking for a replay: what it would do, the request itself, and how far it has come.

The owner of each partition carries it out (``streams.runtime.replays``), so a command may end at any moment: the same one,
given again, finds what is under way and goes on watching.
Invariant: one replay at a time in a pipeline. Requests are written under one transactional id, which fences a second command
that looks and writes at the same moment.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from schemas.codec import codec
from streams import topics
from streams.core.chain import LiveBlock
from streams.core.checkpoint import NOWHERE, TIP, Checkpoint, slot_key
from streams.core.replay import Phase, Replay, due
from streams.errors import Category, FencedError, MonmouthError, Severity
from streams.ports.log import LogReader, TopicPartition
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.replays import all_replays, read_replays
from streams.runtime.surveys import live_parts
from streams.upkeep.pipeline import Pipeline

COMMAND = "replay"
"""Transactional id of the commands that ask."""


class ReplayError(MonmouthError):
    """A replay that cannot be carried out, or not now."""

    category = Category.PROCESSING
    severity = Severity.MEDIUM


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay of one partition takes back and does again.

    ``first``, ``head``: heights of the oldest and newest block. ``offsets``: of the marked input, where the first block begins
    and where the partition stands. ``base``: slot of the checkpoint from which the log was read to find the blocks; None for
    its beginning. ``seconds``: reading what will be read, as it went just now; the work itself comes on top.
    """

    partition: int
    first: int
    head: int
    blocks: int
    records: int
    offsets: tuple[int, int]
    base: str | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        return {
            "partition": self.partition,
            "first_block": self.first,
            "head_block": self.head,
            "blocks": self.blocks,
            "records": self.records,
            "start_offset": self.offsets[0],
            "goal_offset": self.offsets[1],
            "checkpoint": self.base,
            "seconds_reading": round(self.seconds, 2),
        }


@dataclass(frozen=True, slots=True)
class Start:
    """Where a replay starts: a height, a time (unix seconds) or the slot of a checkpoint, whose block still stands after it."""

    block: int | None = None
    time: int | None = None
    checkpoint: str | None = None


async def plan(pipeline: Pipeline, agent: str, start: Start, partitions: Sequence[int]) -> list[Plan]:
    """One for each partition. Raises ReplayError, and PositionLostError where the log no longer reaches down there."""
    reader = pipeline.client.reader()
    try:
        return [await _plan(pipeline, reader, agent, start, number) for number in partitions]
    finally:
        await reader.close()


async def _plan(pipeline: Pipeline, reader: LogReader, agent: str, start: Start, number: int) -> Plan:
    job = pipeline.job(agent)
    checkpoints = await read_checkpoints(reader, agent, number)
    tip = checkpoints.get(TIP)
    if tip is None or tip.at.block == NOWHERE:
        raise ReplayError(
            f"{agent}/{number} has not taken a block in yet", "Is a worker running? See 'monmouth checkpoint list'."
        )
    stand = tip.offsets[job.marked]
    below = _below(start, checkpoints, agent, number)
    base: Checkpoint | None = None
    read, began = 1, perf_counter()
    taken = _Taken(start, checkpoints, f"{agent}/{number}")
    async with aclosing(live_parts(job, number, stand, tip.at.block.number, number=below, checkpoints=checkpoints)) as parts:
        async for part in parts:
            base, read = part.base, read + part.read
            if taken.all_of(part.blocks):
                break
    seconds = perf_counter() - began
    first, head = taken.ends()
    return Plan(
        number,
        first.block.number,
        head.block.number,
        taken.blocks,
        taken.records,
        (first.start, stand),
        base.slot if base else None,
        2 * seconds * (stand - first.start) / read,
    )


def _below(start: Start, checkpoints: Mapping[str, Checkpoint], agent: str, number: int) -> int:
    """A height at or below which the log must be read from, for the start to be found."""
    if start.block is not None:
        return start.block
    if start.checkpoint is not None:
        found = checkpoints.get(start.checkpoint)
        if found is None or start.checkpoint == TIP:
            raise ReplayError(f"{agent}/{number} has no checkpoint {start.checkpoint}", "See 'monmouth checkpoint list'.")
        return found.at.block.number
    assert start.time is not None
    older = (c.at.block.number for c in checkpoints.values() if c.live and c.at.time is not None and c.at.time < start.time)
    return max(older, default=0)


class _Taken:
    """The blocks that are taken back for a start: counted from the newest down, and not kept."""

    def __init__(self, start: Start, checkpoints: Mapping[str, Checkpoint], where: str) -> None:
        self.blocks = self.records = 0
        self._start, self._where = start, where
        self._at = checkpoints[start.checkpoint].at.block if start.checkpoint is not None else None
        self._newest: LiveBlock | None = None
        self._oldest: LiveBlock | None = None
        self._below: LiveBlock | None = None

    def all_of(self, live: Sequence[LiveBlock]) -> bool:
        """Takes the next blocks, newest first; whether one of them is not to be taken back, and so none below it."""
        for block in live:
            self._newest = self._newest or block
            if not self._wanted(block):
                self._below = block
                return True
            self._oldest = block
            self.blocks += 1
            self.records += block.count + 1
        return False

    def _wanted(self, block: LiveBlock) -> bool:
        if self._at is not None:
            return block.block.number > self._at.number
        if self._start.time is not None:
            return block.time is not None and block.time >= self._start.time
        assert self._start.block is not None
        return block.block.number >= self._start.block

    def ends(self) -> tuple[LiveBlock, LiveBlock]:
        """The oldest and the newest of them. Raises ReplayError if they are not what was asked for."""
        if self._at is not None and (self._below is None or self._below.block != self._at):
            raise ReplayError(
                f"{self._where}: block {self._at} of checkpoint {self._start.checkpoint} does not stand any more",
                "Take another one.",
            )
        wanted = self._start.block
        if wanted is not None and self._oldest is not None and self._oldest.block.number > wanted:
            raise ReplayError(
                f"{self._where}: block {wanted} is not in the log, which begins with block {self._oldest.block.number}"
            )
        if self._newest is None or self._oldest is None:
            head = self._newest.block.number if self._newest else "none"
            raise ReplayError(f"{self._where}: nothing to do again; the newest block there is {head}")
        return self._oldest, self._newest


@dataclass(frozen=True, slots=True)
class Asked:
    """A replay that was asked for. ``first``: height of the first block to be done again, by partition. ``until``: of the last
    one that the command waits for; None for all.
    """

    id: str
    first: Mapping[int, int]
    until: int | None = None


async def going_on(pipeline: Pipeline, agent: str, start: Start, partitions: Sequence[int]) -> Asked | None:
    """The replay that is under way, if it is what the same command asked for; None if there is none.

    A start by time or checkpoint cannot be looked up while its blocks are taken back, so any replay of the same partitions
    counts as that. Raises ReplayError if another one is going on, LogError.
    """
    reader = pipeline.client.reader()
    try:
        going = await under_way(pipeline, reader)
        for other in going:
            same = other.stream_agent == agent and other.partition in partitions
            if not same or start.block not in (None, other.block):
                raise _another(other)
        if not going:
            return None
        requests = [(await read_replays(reader, agent, number))[0] for number in partitions]
        mine = [r for r in requests if r is not None and r.id == going[0].id]
        return Asked(going[0].id, {r.partition: r.block for r in mine}, going[0].until)
    finally:
        await reader.close()


async def request(pipeline: Pipeline, agent: str, first: Mapping[int, int], until: int | None) -> Asked:
    """Asks for a replay from these heights. Raises ReplayError if one is going on, LogError."""
    producer = pipeline.client.producer(COMMAND, 0)
    reader = pipeline.client.reader()
    try:
        await producer.start()
        for other in await under_way(pipeline, reader):
            raise _another(other)
        asked = uuid.uuid4().hex[:12]
        rows = [Replay(agent, number, asked, Phase.REQUESTED, block, until) for number, block in first.items()]
        await producer.begin()
        await producer.send({TopicPartition(topics.REPLAYS, row.partition): [_row(row)] for row in rows})
        await producer.commit()
        return Asked(asked, first, until)
    except FencedError:
        raise ReplayError("another command asks for a replay at this moment", "Give the command again.") from None
    finally:
        await reader.close()
        await producer.close()


def _row(replay: Replay) -> tuple[bytes, bytes]:
    return replay.key, codec().encode("Replay", replay.record())


def _another(other: Replay) -> ReplayError:
    name = f"{other.stream_agent}/{other.partition} from block {other.block} ({other.phase.lower()})"
    return ReplayError(
        f"another replay is going on: {name}", "One at a time: wait for it, or watch it by giving its command again."
    )


async def under_way(pipeline: Pipeline, reader: LogReader) -> list[Replay]:
    """Replays asked for or begun, and not over."""
    found = []
    for number in range(pipeline.partitions):
        pairs = (await all_replays(reader, number)).values()
        found += [left for asked, status in pairs if (left := due(asked, status)) is not None]
    return found


@dataclass(frozen=True, slots=True)
class Progress:
    """One partition's. ``undone``, ``redone``: blocks, of ``total``. ``records``: offsets of the log passed again."""

    partition: int
    phase: Phase
    block: int
    undone: int
    redone: int
    total: int
    records: int
    records_total: int
    reason: str = ""
    head: int = -1

    @property
    def done(self) -> float:
        """Share of the work that is done, 0 to 1."""
        if self.phase is Phase.DONE:
            return 1.0
        return (self.undone + self.redone) / (2 * self.total) if self.total else 0.0

    def reached(self, until: int | None) -> bool:
        """Whether there is nothing left that a command waits for."""
        if self.phase in (Phase.DONE, Phase.REFUSED):
            return True
        return until is not None and self.phase is Phase.REDOING and self.head >= until

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        return {
            "partition": self.partition,
            "phase": self.phase.value,
            "blocks_undone": self.undone,
            "blocks_redone": self.redone,
            "blocks_total": self.total,
            "records_done": self.records,
            "records_total": self.records_total,
            "done": round(self.done, 4),
        } | ({"reason": self.reason} if self.reason else {})


@dataclass
class Watcher:
    """Follows one replay by what its owners commit. ``seconds_left`` is counted from when watching began."""

    pipeline: Pipeline
    agent: str
    asked: Asked
    _reader: LogReader = field(init=False)
    _places: dict[int, int] = field(default_factory=dict)
    _tips: dict[int, Checkpoint] = field(default_factory=dict)
    _began: tuple[float, float] | None = None

    async def __aenter__(self) -> Watcher:
        self._reader = self.pipeline.client.reader()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.close()

    async def look(self) -> list[Progress]:
        """How far each partition has come."""
        return [await self._look(number) for number in sorted(self.asked.first)]

    async def _look(self, number: int) -> Progress:
        await self._read_tip(number)
        _, status = (await all_replays(self._reader, number)).get(self.agent, (None, None))
        block = self.asked.first[number]
        if status is None or status.id != self.asked.id:
            return Progress(number, Phase.REQUESTED, block, 0, 0, 0, 0, 0)
        total, tip = status.total or 0, self._tips.get(number)
        begins, goal = status.start or 0, status.goal or 0
        if status.phase is Phase.DONE:
            return Progress(number, status.phase, block, total, total, total, goal - begins, goal - begins)
        head = tip.at.block.number if tip is not None else -1
        stand = tip.offsets[self.pipeline.lookup(self.agent).inputs[0]] if tip is not None else begins
        redoing = status.phase is Phase.REDOING
        redone = min(total, max(0, head - block + 1)) if redoing else 0
        records = min(max(0, stand - begins), goal - begins) if redoing else 0
        return Progress(number, status.phase, block, status.undone, redone, total, records, goal - begins, status.reason, head)

    async def _read_tip(self, number: int) -> None:
        source = TopicPartition(topics.CHECKPOINTS, number)
        first, stop = (await self._reader.bounds([source]))[source]
        key = slot_key(self.agent, number, TIP)
        newest: bytes | None = None
        async for messages in self._reader.read_range(source, max(first, self._places.get(number, 0)), stop):
            newest = next((m.value for m in reversed(messages) if m.key == key), newest)
        self._places[number] = stop
        if newest is not None:
            self._tips[number] = Checkpoint.of(codec().decode(newest)[1])

    def seconds_left(self, progress: Sequence[Progress], now: float) -> float | None:
        """From how the work went since watching began; None where nothing can be said yet."""
        done = sum(part.done for part in progress) / len(progress)
        if self._began is None:
            self._began = now, done
        since, before = self._began
        if done >= 1 or done <= before or now <= since:
            return 0.0 if done >= 1 else None
        return (1 - done) * (now - since) / (done - before)
