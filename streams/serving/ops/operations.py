"""The live state of the deployment in a gateway: what fills the board, and who is told when it has changed.

Invariants: the board is changed by the event loop alone; once a second it is told the time, so that what falls silent is seen
to be gone also when nothing else happens. A time that it cannot take is logged, counted and complained of until it takes one
again: it is a defect of what is shown, and no reason to answer no questions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from streams.core.canonical import ChainStep
from streams.core.checkpoint import Checkpoint
from streams.ops.health.verdict import Verdict
from streams.serving.ops.board import Board
from streams.serving.ops.metrics import CLOCK_FAILURES
from streams.serving.ops.tail import OpsTail
from streams.settings import KafkaSettings
from streams.wall import time_of_day

_log = logging.getLogger(__name__)
TICK = 1.0
PATIENCE = 15.0
"""Seconds that the clock waits for the tail to read what was written before it began."""


class Operations:
    """``start`` once, ``stop`` once."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.board = Board()
        self.tail = OpsTail(settings, self.board, self.wake)
        self._changed = asyncio.Event()
        self._failed = ""
        self._clock: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to follow the topics of operations."""
        self.tail.start()
        self._clock = asyncio.create_task(self._tick(), name="clock of the board")

    async def stop(self) -> None:
        """Stops following; safe to call twice."""
        await self.tail.stop()
        if self._clock is not None:
            self._clock.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._clock

    @property
    def broken(self) -> str:
        """That reading the topics has ended, or that the board cannot take the time; empty if all is well."""
        return self.tail.failure.message if self.tail.failure is not None else self._failed

    @property
    def complaint(self) -> str:
        """Why what is shown is not of now; empty if it is."""
        return self.tail.complaint or self._failed

    def step(self, step: ChainStep, at_ms: int) -> None:
        """A notification of the chain that the broker took at ``at_ms``."""
        self.board.take_step(step, at_ms)
        self.wake()

    def tip(self, tip: Checkpoint, at_ms: int) -> None:
        """A commit of a stream agent that the broker took at ``at_ms``."""
        self.board.take_tip(tip, at_ms)
        self.wake()

    def judged(self, verdict: Verdict, predictions: Sequence[str]) -> None:
        """How this gateway judges the whole, and what it foresees."""
        self.board.take_verdict(verdict, predictions, int(time_of_day() * 1000))
        self.wake()

    def wake(self) -> None:
        """Tells everybody who waits that the board has changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, since: int) -> None:
        """Returns once the board's version is beyond ``since``."""
        while self.board.version <= since:
            await self._changed.wait()

    async def _tick(self) -> None:
        with contextlib.suppress(TimeoutError):  # the broker is away: then nothing is read that the clock could overtake
            await asyncio.wait_for(self.tail.caught_up.wait(), PATIENCE)
        while True:
            self._advance()
            self.wake()
            await asyncio.sleep(TICK)

    def _advance(self) -> None:
        try:
            self.board.advance(int(time_of_day() * 1000))
        except Exception as error:  # a defect: what else the gateway does goes on, and the next second may be well
            CLOCK_FAILURES.inc()
            if not self._failed:
                _log.exception("the dashboard cannot take the time")
            self._failed = f"the dashboard stands still: {type(error).__name__}"
        else:
            self._failed = ""
