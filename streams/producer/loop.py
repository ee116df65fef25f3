"""The block producer: from a source to the log, from backfill to live, until it is told to stop.

Assumes one event loop and topics that exist. Invariants: reading runs at most one change ahead of writing; the next change is
planned on a view that is dropped if a write fails, and read back from the log; it stops between two transactions.
Errors that pass are retried with growing pauses; FencedError, ChainMismatchError, LogIntegrityError and a block that does not
fit end the run, since going on would be wrong.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

from streams.core.block import BlockRef
from streams.core.forkview import ForkView, Severity, Undo, severity, trim
from streams.errors import SourceError, may_pass
from streams.health import Look
from streams.metrics import count_error
from streams.ports.chain import Block, ChainSource
from streams.producer import metrics
from streams.producer.conflicts import RecentTransactions
from streams.producer.follow import Follower, applied
from streams.producer.kafka_log import KEEP, LogUnavailableError
from streams.producer.log import ChainLog, Staged, UncertainWriteError
from streams.producer.plan import Advance
from streams.producer.records import Stager
from streams.settings import ChainSettings

log = logging.getLogger(__name__)
MAX_BYTES = 4 * 1024 * 1024
MAX_RECORDS = 10_000
MAX_STEPS = 500
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
MOST_DOUBLINGS = 10
"""Of a pause: an outage may last for days, and its failures beyond what a number holds as a power of two."""
ATTEMPTS = 5
REPORT_SECONDS = 5.0
PATIENCE = 10.0
"""A transaction that takes longer is trouble with the broker."""


@dataclass(slots=True)
class Progress:
    """What this run has written so far."""

    blocks: int = 0
    transactions: int = 0
    records: int = 0
    reorgs: int = 0
    deepest: int = 0
    conflicts: int = 0
    appends: int = 0
    view: ForkView = field(default_factory=ForkView)


@dataclass(slots=True)
class Held:
    """What waits for the next transaction."""

    staged: list[Staged] = field(default_factory=list)
    size: int = 0
    records: int = 0

    def add(self, one: Staged) -> None:
        """Adds one notification with its records."""
        self.staged.append(one)
        self.size += one.size
        self.records += one.records

    @property
    def full(self) -> bool:
        """Whether it is time to write: a transaction is bounded in bytes, records and steps."""
        return self.size >= MAX_BYTES or self.records >= MAX_RECORDS or len(self.staged) >= MAX_STEPS


class BlockProducer:
    """Runs one source into one log. ``stager`` makes the records; ``once``: stop when the source has no more just now."""

    def __init__(
        self,
        source: ChainSource,
        chain_log: ChainLog,
        stager: Stager,
        settings: ChainSettings,
        chain_id: int,
        *,
        once: bool = False,
        until: int | None = None,
    ) -> None:
        self._source = source
        self._log = chain_log
        self._stager = stager
        self._settings = settings
        self._follower = Follower(source, settings, chain_id, chain_log.older, until)
        self._once = once
        self._until = until
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._sequence = 0
        self._held = Held()
        self._view = ForkView()
        self._recent = RecentTransactions()
        self._failures = 0
        self._trusted = False
        self._asking: asyncio.Task[Advance | None] | None = None
        self._opened = False
        self._failure = ""
        self._writing_since: float | None = None
        self.progress = Progress()

    def look(self) -> Look:
        """For the probes: started when the end of the log is known, ready while node and broker answer."""
        complaints = []
        if not self._opened:
            complaints.append("the end of the log is not known yet")
        if self._failures:
            complaints.append(f"{self._failures} failures in a row, the last: {self._failure}")
        since = self._writing_since
        if since is not None and time.monotonic() - since > PATIENCE:
            complaints.append(f"a transaction has been under way for {time.monotonic() - since:.0f} s")
        return Look(self._opened, complaints)

    def stop(self) -> None:
        """Asks the run to end after the transaction in flight."""
        self._stop.set()
        self._wake.set()
        if self._asking is not None:
            self._asking.cancel()

    async def run(self) -> Progress:
        """Runs until stopped, or as ``once``, ``until`` and the source say. Closes the log, not the source."""
        hints = asyncio.create_task(self._listen())
        reports = asyncio.create_task(self._report())
        try:
            while not await self._session():
                pass
        finally:
            for task in (hints, reports):
                task.cancel()
            await asyncio.gather(hints, reports, return_exceptions=True)
            await self._log.close()
        return self.progress

    async def _session(self) -> bool:
        """From opening the log to the end of the run (True) or to a write that must be looked up (False)."""
        writing: asyncio.Task[None] | None = None
        try:
            self._opened = False
            position = await self._log.open()
            self._opened = True
            self._sequence, view = position.sequence, position.view
            self.progress.view = self._view = view
            self._held = Held()
            self._trusted = False
            while True:
                advance = await self._ask(view, position.first)
                if writing is not None:
                    done, writing = writing, None
                    await done
                if advance is not None and not self._stop.is_set():
                    view = trim(applied(view, advance), KEEP)
                    writing = asyncio.create_task(self._publish(advance))
                elif await self._finished(view):
                    await self._flush(self._view)
                    return True
        except (UncertainWriteError, LogUnavailableError) as error:
            metrics.REBUILDS.inc()
            self._opened = False
            await self._fail(error)
            return self._stop.is_set()
        finally:
            if writing is not None:
                await asyncio.gather(writing, return_exceptions=True)

    async def _ask(self, view: ForkView, first: BlockRef | None) -> Advance | None:
        """The next change, or None: nothing to do, or the source failed and a pause has passed."""
        if self._stop.is_set() or self._reached(view):
            return None
        self._wake.clear()
        try:
            if not self._trusted:
                await self._follower.check_identity(first)
                self._trusted = True
            self._asking = asyncio.create_task(self._follower.next(view))
            advance = await self._asking
        except asyncio.CancelledError:
            if self._stop.is_set():  # a node that does not answer must not hold up the end
                return None
            raise
        except SourceError as error:
            metrics.SOURCE_ERRORS.inc()
            self._trusted = False
            await self._fail(error)
            return None
        self._failures = 0
        return advance

    def _reached(self, view: ForkView) -> bool:
        return self._until is not None and view.tip is not None and view.tip.number >= self._until

    async def _finished(self, view: ForkView) -> bool:
        """Whether the run is over; else waits for a hint or the next poll."""
        if self._stop.is_set() or self._reached(view) or self._source.ended:
            return True
        if self._failures or self._source.eager:
            await asyncio.sleep(0)
            return False
        if self._once:
            return True
        await self._wait(self._stop if self._follower.doubting else self._wake, self._settings.poll_interval)
        return False

    @staticmethod
    async def _wait(event: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass

    async def _fail(self, error: SourceError | UncertainWriteError | LogUnavailableError) -> None:
        """Pauses, longer each time. Raises the error if the run is one that must end and it keeps failing."""
        count_error(error)
        self._failures += 1
        self._failure = error.message
        awaited = isinstance(error, SourceError) and may_pass(error)
        never_worked = self.progress.appends == 0 and self.progress.view.tip is None and not awaited
        if self._failures >= ATTEMPTS and (self._once or self._until is not None or never_worked or self._source.eager):
            raise error
        pause = pause_after(self._failures)
        log.warning("%s; trying again in %.2f s", error.message, pause)
        await self._wait(self._stop, pause)

    async def _publish(self, advance: Advance) -> None:
        """Writes one change. What belongs together goes into one transaction: an undo with the blocks that replace it, settled
        blocks, everything of an archive. Live blocks go one by one.
        """
        view = self._view
        if advance.undo is not None:
            view = applied(view, Advance(advance.undo, base=advance.base))
            self._held.add(self._stager.undo(advance.undo, self._next, view.final))
        for block in advance.blocks:
            self._held.add(self._stager.new(block, self._next, view.final))
            view = applied(view, Advance(blocks=[block]))
            together = advance.undo is not None or self._source.eager or block is advance.blocks[-1]
            if self._held.full or not (together or block.ref.number <= advance.settled):
                is_final = advance.final is not None and block.ref.number <= advance.final.number
                view = await self._flush(self._finalize(view, block.ref) if is_final else view)
        if advance.final is not None:
            view = self._finalize(view, advance.final)
        self._view = view if self._source.eager else await self._flush(view)
        self._count(advance)

    @property
    def _next(self) -> int:
        """Sequence of the next notification."""
        return self._sequence + len(self._held.staged)

    def _finalize(self, view: ForkView, final: BlockRef) -> ForkView:
        moved = applied(view, Advance(final=final))
        if moved.final != view.final and moved.final is not None and moved.tip is not None:
            self._held.add(self._stager.final(moved.final, self._next, moved.tip))
        return moved

    async def _flush(self, view: ForkView) -> ForkView:
        """Writes what is held as one transaction. Returns the view that the log now shows."""
        held, self._held = self._held, Held()
        view = trim(view, KEEP)
        if held.staged:
            self._writing_since = time.monotonic()
            try:
                await self._log.append(held.staged)
            finally:
                self._writing_since = None
            self._sequence += len(held.staged)
            self.progress.appends += 1
            self.progress.records += held.records
            metrics.RECORDS.inc(held.records)
        self.progress.view = view
        metrics.TIP.set(view.tip.number if view.tip else 0)
        metrics.FINAL.set(view.final.number if view.final else 0)
        return view

    def _count(self, advance: Advance) -> None:
        if advance.undo is not None:
            self._count_reorg(advance.undo, advance.blocks)
        for block in advance.blocks:
            if block.ref.number > advance.settled:
                self._recent.note(block)
        transactions = sum(len(block.transactions) for block in advance.blocks)
        self.progress.blocks += len(advance.blocks)
        self.progress.transactions += transactions
        metrics.BLOCKS.inc(len(advance.blocks))
        metrics.TRANSACTIONS.inc(transactions)

    def _count_reorg(self, undo: Undo, branch: list[Block]) -> None:
        conflicts = self._recent.conflicts(undo.removed, branch)
        kind = severity(undo.depth, conflicts.count)
        self.progress.reorgs += 1
        self.progress.deepest = max(self.progress.deepest, undo.depth)
        self.progress.conflicts += conflicts.count
        metrics.REORGS.labels(kind.value).inc()
        metrics.REORG_DEPTH.set(undo.depth)
        metrics.CONFLICTS.inc(conflicts.count)
        metrics.REORG_CONFLICTS.set(conflicts.count)
        metrics.UNKNOWN.inc(conflicts.unknown)
        level = logging.INFO if kind is Severity.MINOR else logging.WARNING
        said = (kind, undo.depth, undo.ancestor, len(branch), conflicts)
        log.log(level, "%s reorg: %d blocks undone down to %s, %d new, %s", *said)
        if undo.below_final:
            metrics.BELOW_FINAL.inc()
            log.error("ALARM: the reorg removed blocks that were final; the log follows the node to %s", undo.ancestor)

    async def _listen(self) -> None:
        """Turns hints into earlier polls; a lost hint costs one poll interval."""
        try:
            async for _ in self._source.hints():
                self._wake.set()
        except SourceError as error:
            log.warning("no more hints from the source (%s); polling goes on", error.message)

    async def _report(self) -> None:
        blocks, transactions, before = 0, 0, time.monotonic()
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            now, done = time.monotonic(), self.progress
            if done.blocks != blocks:
                rate = (done.transactions - transactions) / (now - before)
                log.info("at %s, final %s: %d blocks, %.0f transactions/s", done.view.tip, done.view.final, done.blocks, rate)
            blocks, transactions, before = done.blocks, done.transactions, now


def pause_after(failures: int) -> float:
    """Seconds before the next try after so many failures in a row."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, MOST_DOUBLINGS), LONGEST_PAUSE)
