"""Makes the fold of a partition at its committed positions, local state and all.

Invariant: the fold's state, live chain and positions speak of the same point in the log, whatever local state was found: none,
older, newer, damaged, or one whose digest is not the committed one. The log is the truth; local state only saves reading it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from streams.agents.base import LocalState, StreamAgent
from streams.core.chain import LiveBlock
from streams.core.checkpoint import TIP, Checkpoint
from streams.core.position import Standing, beginning, can_reach, named
from streams.core.segment import Assembler
from streams.core.undo import UndoPlan
from streams.errors import LogIntegrityError, OutdatedError
from streams.ports.log import LogReader, TopicPartition
from streams.runtime import metrics
from streams.runtime.catchup import Announce, catch_up, nobody_else
from streams.runtime.checkpoints import decode_slots
from streams.runtime.fold import Fold
from streams.runtime.job import Job
from streams.runtime.outbox import Outbox, Shadow
from streams.runtime.state import NoState, StateStore
from streams.runtime.surveys import live_parts

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Manner:
    """How to open after a failure. ``careful``: apply records one by one. ``fresh``: drop local state and replay the log."""

    careful: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Recovery:
    """``goal``: the committed positions. ``checkpoints``: by slot, as committed with them. ``make``: see ``AgentFactory``.

    ``rest``, ``announce``: see ``catch_up``.
    """

    job: Job
    partition: int
    reader: LogReader
    goal: Standing
    checkpoints: Mapping[str, Checkpoint]
    manner: Manner
    make: Callable[[int, LocalState], StreamAgent]
    rest: float = 0.0
    announce: Announce = nobody_else

    async def fold(self, store: StateStore | None) -> Fold:
        """A fold at ``goal``. Raises PositionLostError if state must be rebuilt and the log has lost its beginning."""
        if store is None:
            return self._make(self.goal, self.checkpoints, None)
        slots = _readable(store)
        tip = slots.get(TIP)
        if self.manner.fresh or tip is None:
            return await self._from_beginning(store)
        start = named(self.job.marked, dict(tip.offsets), tip)
        if can_reach(tip.offsets, self.goal.offsets):
            fold = await self._caught_up(store, start, slots)
        elif (back := await self._taken_back(store, start, slots)) is not None:
            fold = back
        else:
            return await self._from_beginning(store)
        if self._agrees(fold):
            return fold
        metrics.REBUILDS.labels(self.job.name, "digest").inc()
        return await self._from_beginning(store)

    async def _from_beginning(self, store: StateStore) -> Fold:
        if any(self.goal.offsets.values()):
            _log.warning("%s/%d: local state is rebuilt from the log", self.job.name, self.partition)
            metrics.REBUILDS.labels(self.job.name, "state").inc()
        bounds = await self.reader.bounds([TopicPartition(topic, self.partition) for topic in self.job.spec.inputs])
        start = beginning({source.topic: first for source, (first, _) in bounds.items()})
        store.reset()
        fold = await self._caught_up(store, start, {})
        if not self._agrees(fold):
            _log.error("%s/%d: the log gives another state than was committed; the log counts", self.job.name, self.partition)
        return fold

    async def _taken_back(self, store: StateStore, start: Standing, slots: Mapping[str, Checkpoint]) -> Fold | None:
        """Local state that is past a committed position to which a replay went back; None where it cannot be taken back."""
        marked, goal = self.job.marked, self.goal
        if goal.head is None or start.offsets[marked] <= goal.offsets[marked]:
            return None
        if not can_reach({**start.offsets, marked: goal.offsets[marked]}, goal.offsets):
            return None
        fold = self._make(start, slots, store)
        known = fold.chain.newest(len(fold.chain))
        if fold.chain.head is None or fold.chain.head.number - goal.head.number >= self.job.limits.survey_blocks:
            return None  # too far to be worth it
        if not known or known[-1].block.number > goal.head.number:
            known = await self._surveyed(start.offsets[marked], fold.chain.head.number, goal.head.number)
        taken = [live for live in known if live.start >= goal.offsets[marked]]
        if not taken or len(known) == len(taken) or known[len(taken)].block != goal.head:
            return None
        live, fold.outbox = fold.outbox, self._outbox(Shadow)
        await fold.take_back(UndoPlan(tuple(taken), goal.head, known[len(taken)].state))
        if fold.positions[marked] != goal.offsets[marked]:
            return None
        await catch_up(self.job, fold, store, self.reader, goal.offsets, rest=self.rest, announce=self.announce)
        fold.outbox, fold.blocks = live, 0
        return fold

    async def _surveyed(self, stop: int, head: int, low: int) -> list[LiveBlock]:
        """Live blocks at offset ``stop``, newest first, from height ``head`` down to ``low``."""
        parts = live_parts(self.job, self.partition, stop, head, number=low + 1, checkpoints=self.checkpoints)
        async with aclosing(parts):
            return [block async for part in parts for block in part.blocks]

    async def _caught_up(self, store: StateStore, start: Standing, slots: Mapping[str, Checkpoint]) -> Fold:
        fold = self._make(start, slots, store)
        if start.offsets != self.goal.offsets:
            live, fold.outbox = fold.outbox, self._outbox(Shadow)
            await catch_up(self.job, fold, store, self.reader, self.goal.offsets, rest=self.rest, announce=self.announce)
            fold.outbox, fold.blocks = live, 0
        return fold

    def _agrees(self, fold: Fold) -> bool:
        tip = self.checkpoints.get(TIP)
        if tip is None or tip.at.state is None or dict(tip.offsets) != self.goal.offsets:
            return True
        return fold.agent.state_digest() == tip.at.state

    def _make(self, at: Standing, slots: Mapping[str, Checkpoint], store: StateStore | None) -> Fold:
        job = self.job
        chain = job.policy.chain(slots)
        if chain.head != at.head:  # the offsets were set from outside: what the slots say is not about them
            chain = job.policy.chain({})
            chain.head = at.head
        fold = Fold(
            job,
            self.partition,
            agent=self.make(self.partition, store if store is not None else NoState()),
            assembler=Assembler(
                job.marked,
                self.partition,
                at.offsets[job.marked],
                job.verify,
                sequence=at.sequence,
                head=at.head,
                first=at.first,
            ),
            chain=chain,
            positions=at.offsets,
            outbox=self._outbox(Outbox),
            store=store,
            history=self.checkpoints,
        )
        fold.careful = self.manner.careful
        return fold

    def _outbox(self, kind: type[Outbox]) -> Outbox:
        return kind(self.job.spec, self.partition, self.job.signer, self.job.prefix)


def _readable(store: StateStore) -> dict[str, Checkpoint]:
    try:
        return decode_slots(store.slots())
    except (LogIntegrityError, OutdatedError) as error:
        _log.warning("local state is not readable (%s)", error)
        return {}
