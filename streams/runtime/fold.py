"""One stream agent's partition as a fold: units in, outputs collected, positions moved. The same for live work and for replay.

Invariants:
  * units are folded in log order, each whole or not at all: any error leaves the fold to be dropped, with nothing written;
  * a rewind reverts exactly the live occurrences of the removed blocks, newest first, and is followed by a comparison with
    the state digest of the ancestor's checkpoint, where both exist;
  * ``positions`` are right behind the last unit folded in;
  * the event loop, which sends the heartbeats too, gets its turn between units and blocks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

from streams.agents.base import StreamAgent
from streams.core.block import ZERO_HASH, BlockRef, Step
from streams.core.chain import LiveBlock, LiveChain
from streams.core.checkpoint import EMERGENCY, NOWHERE, REORG, TIP, Checkpoint, history_before, kept_slot
from streams.core.marker import Marker
from streams.core.record import ERASED, Record
from streams.core.segment import Assembler, Block, Final, Outside, Undo, Unit
from streams.core.undo import UndoPlan, Unplannable, plan_undo
from streams.errors import Category, LogIntegrityError, MonmouthError, PoisonError, Severity
from streams.runtime import metrics
from streams.runtime.deadletter import belongs, unreadable
from streams.runtime.deferral import Deferral
from streams.runtime.job import Job
from streams.runtime.outbox import Outbox
from streams.runtime.rewind import Rewinder, live_block
from streams.runtime.state import StateStore

_log = logging.getLogger(__name__)

TURN_SECONDS = 0.02


class StateMismatchError(MonmouthError):
    """After a rewind the state was not what its checkpoint says. It is dropped and built anew from the log."""

    category = Category.PROCESSING
    severity = Severity.HIGH


class Fold:
    """``careful``: records are applied one by one, so that one that is refused goes to the dead letters alone."""

    def __init__(
        self,
        job: Job,
        partition: int,
        *,
        agent: StreamAgent,
        assembler: Assembler,
        chain: LiveChain,
        positions: Mapping[str, int],
        outbox: Outbox,
        store: StateStore | None,
        history: Mapping[str, Checkpoint],
    ) -> None:
        self.agent = agent
        self.chain = chain
        self.outbox = outbox
        self.positions = dict(positions)
        self.careful = False
        self.blocks = 0
        self.rewinding_since: float | None = None
        self._job = job
        self.partition = partition
        self._assembler = assembler
        self._store = store
        self._history = history
        self._marker_offset = -1
        self._rewinder = Rewinder(job, partition)
        self.deferral = Deferral(job.name, partition, job.prefix) if job.spec.defers else None
        self._clock = asyncio.get_running_loop().time
        self._turn = self._clock()

    @property
    def waiting(self) -> int:
        """Records held for a marker."""
        return self._assembler.waiting

    def assemble(self, topic: str, records: list[Record]) -> list[Unit]:
        """Units that ``records``, the next of an input topic, complete. Raises LogIntegrityError."""
        if topic == self._job.marked:
            return self._assembler.feed(records)
        return [Outside(records, records[-1].offset + 1)] if records else []

    async def run(self, units: Sequence[Unit]) -> None:
        """Folds units in. Raises PoisonError (not if ``careful``), StateMismatchError, LogIntegrityError, StoreError."""
        readable = [self._sift(unit.records) if isinstance(unit, Outside | Block) else [] for unit in units]
        await self.agent.prepare([record for records in readable for record in records])
        self._turn = self._clock()
        try:
            for unit, records in zip(units, readable, strict=True):
                await self._fold(unit, records)
                await self._pass_on()
                metrics.FOLDED.labels(self._job.name).inc(unit.size)
        finally:
            await self._rewinder.close()

    async def _pass_on(self) -> None:
        """Lets others run if this fold had the event loop for long."""
        if self._clock() - self._turn > TURN_SECONDS:
            await asyncio.sleep(0)
            self._turn = self._clock()

    async def _fold(self, unit: Unit, records: list[Record]) -> None:
        if isinstance(unit, Outside):
            if self.deferral is None:
                self._apply(None, records)
            else:
                for record in records:
                    await self.deferral.take(record, self.agent, self.outbox)
            self.positions[unit.topic] = unit.next_offset
            return
        if isinstance(unit, Block):
            self._block(unit, records)
        elif isinstance(unit, Undo):
            await self._undo(unit)
        else:
            self._final(unit)
        self._marker_offset = unit.offset

    async def finish(self) -> None:
        """Ends a transaction's worth of work: last outputs, the tip, outside stores."""
        self._end()
        await self.agent.flush()

    async def finish_again(self) -> None:
        """The same where the work was committed before and more such work follows."""
        self._end()
        await self.agent.flush_again()

    def _end(self) -> None:
        self.outbox.tables(self.agent.emit_before_commit())
        self.outbox.checkpoint(self._tip())

    def _sift(self, records: list[Record]) -> list[Record]:
        if all(belongs(records[0].topic, kind) for kind in {record.type for record in records}):
            return records
        readable = []
        for record in records:
            if record.type == ERASED:
                continue
            fault = unreadable(record)
            if fault is None:
                readable.append(record)
            else:
                self.outbox.dead_letter(record, *fault)
        return readable

    def _apply(self, block: BlockRef | None, records: Sequence[Record]) -> None:
        if not self.careful or (block is not None and not records):
            self.outbox.log(self.agent.apply(block, records), block)
            return
        for record in records:
            if self._store:
                self._store.begin()
            try:
                emits = list(self.agent.apply(block, [record]))
            except PoisonError as error:
                if self._store:
                    self._store.rollback()
                self.outbox.dead_letter(record, type(error).__name__, error.message, cause=error)
                continue
            if self._store:
                self._store.end()
            self.outbox.log(emits, block)

    def _block(self, unit: Block, records: Sequence[Record]) -> None:
        marker = unit.marker
        self._apply(marker.block, records)
        self.outbox.forward(marker)
        self.positions[self._job.marked] = unit.next_offset
        live = live_block(unit, self.chain.time, self.agent.state_digest())
        self.chain.push(live)
        self.blocks += 1
        if self._job.spec.stateful:
            for slot in self._job.policy.slots(live, marker.final):
                self.outbox.checkpoint(self._slot(slot, live))

    async def _undo(self, unit: Undo) -> None:
        started = self.rewinding_since = time.monotonic()
        removed = unit.marker.removed
        if self._job.spec.stateful:
            await self._revert(unit)
        self.chain.drop(len(removed), unit.ancestor)
        self.outbox.forward(unit.marker)
        self.positions[self._job.marked] = unit.next_offset
        if self._job.spec.stateful:
            self._note(REORG, unit.ancestor, unit.marker.sequence, unit.offset)
        metrics.REWINDS.labels(self._job.name).inc()
        metrics.REORG_DEPTH.labels(self._job.name).observe(len(removed))
        metrics.REWIND_SECONDS.labels(self._job.name).observe(time.monotonic() - started)
        self.rewinding_since = None

    async def _revert(self, unit: Undo) -> None:
        removed = unit.marker.removed
        plan = plan_undo(self.chain, removed, unit.ancestor)
        if isinstance(plan, Unplannable):
            _log.warning("%s/%d: %s", self._job.name, self.partition, plan.reason)
            metrics.REBUILDS.labels(self._job.name, "index").inc()
            oldest, ring = removed[-1].number, self._job.policy.ring
            since = history_before(self._history, oldest, unit.offset)
            surveyed = await self._rewinder.survey(unit.offset, since, oldest - ring, removed[0].number)
            plan = plan_undo(surveyed, removed, unit.ancestor)
            self.chain = surveyed.limited(max(ring, len(removed)))
        if isinstance(plan, Unplannable):
            raise LogIntegrityError(f"{self._job.marked}/{self.partition}@{unit.offset}: {plan.reason}")
        await self._take_off(plan)

    async def _take_off(self, plan: UndoPlan) -> None:
        async for block in self._rewinder.blocks(plan):
            self._revert_block(block)
            await self._pass_on()
        state = self.agent.state_digest()
        if plan.state is not None and state != plan.state:
            raise StateMismatchError(
                f"{self._job.name}/{self.partition}: state after the rewind to {plan.ancestor} is "
                f"{state.hex() if state else None}, its checkpoint says {plan.state.hex()}"
            )
        for live in plan.blocks:
            for slot in self._job.policy.slots(live, None):
                self.outbox.checkpoint(self._slot(slot, live).freed())

    async def take_back(self, plan: UndoPlan) -> None:
        """Undoes the newest live blocks, which the chain still has: the fold stands in front of the oldest then, to do all
        again. What lies outside blocks stays; what of it lies in the marked input comes again too.

        Raises StateMismatchError, LogIntegrityError, PoisonError (not if ``careful``).
        """
        oldest = plan.blocks[-1]
        before, after = self.sequence, oldest.sequence - 1
        self._turn = self._clock()
        try:
            chain_id = (await self._rewinder.oldest(plan)).marker.chain_id
            if self._job.spec.stateful:
                self._note(EMERGENCY, plan.blocks[0].block, before, self._marker_offset)
                await self._take_off(plan)
        finally:
            await self._rewinder.close()
        self.chain.drop(len(plan.blocks), plan.ancestor)
        self.chain.time = oldest.parent_time
        self.outbox.take_back(_undo(chain_id, before, self._job.marked, self.partition, plan), after)
        self.positions[self._job.marked] = oldest.start
        self._marker_offset = -1
        at_start = after < 0
        self._assembler = Assembler(
            self._job.marked,
            self.partition,
            oldest.start,
            self._job.verify,
            sequence=None if at_start else after,
            head=None if at_start else plan.ancestor,
            first=0 if at_start else None,
        )

    @property
    def sequence(self) -> int:
        """Of the last marker folded in; -1 for none, or if it is not known."""
        return -1 if self._assembler.sequence is None else self._assembler.sequence

    def _revert_block(self, block: Block) -> None:
        metrics.FOLDED.labels(self._job.name).inc(block.size)
        self._job.advanced(self.partition, block.size)
        records = [record for record in block.records if unreadable(record) is None]
        if not self.careful:
            self.outbox.tables(self.agent.revert(block.marker.block, records))
            return
        for record in reversed(records):
            try:
                emits = list(self.agent.revert(block.marker.block, [record]))
            except PoisonError:  # never applied: a dead letter since
                continue
            self.outbox.tables(emits)
        if not records:
            self.outbox.tables(self.agent.revert(block.marker.block, []))

    def _final(self, unit: Final) -> None:
        self.outbox.tables(self.agent.finalize(unit.marker.block))
        self.outbox.forward(unit.marker)
        self.positions[self._job.marked] = unit.next_offset

    def _note(self, kind: str, block: BlockRef, sequence: int, offset: int) -> None:
        """A checkpoint of what has just happened."""
        at = LiveBlock(block, sequence, offset, offset, 0, ZERO_HASH, self.agent.state_digest(), self.chain.time)
        self.outbox.checkpoint(self._slot(kept_slot(kind, sequence), at))

    def _slot(self, slot: str, live: LiveBlock) -> Checkpoint:
        return Checkpoint(self._job.name, self.partition, slot, self._job.marked, live, dict(self.positions))

    def _tip(self) -> Checkpoint:
        head = self._assembler.head or NOWHERE
        state, offset = self.agent.state_digest(), self._marker_offset
        return self._slot(TIP, LiveBlock(head, self.sequence, offset, offset, 0, ZERO_HASH, state, self.chain.time))


def _undo(chain_id: int, sequence: int, topic: str, partition: int, plan: UndoPlan) -> Marker:
    removed = tuple(live.block for live in plan.blocks)
    return Marker(
        Step.UNDO, chain_id, sequence, topic, partition, removed[0], plan.ancestor, removed=removed, ancestor=plan.ancestor
    )
