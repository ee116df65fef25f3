"""The live state of the deployment in a gateway: what fills the board, and who is told when it has changed.

Invariant: the board is changed by the event loop alone; once a second it is told the time, so that what falls silent is seen
to be gone also when nothing else happens.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from streams.core.canonical import ChainStep
from streams.core.checkpoint import Checkpoint
from streams.ops.health.verdict import Verdict
from streams.serving.ops.board import Board
from streams.serving.ops.tail import OpsTail
from streams.settings import KafkaSettings
from streams.wall import time_of_day

TICK = 1.0
PATIENCE = 15.0
"""Seconds that the clock waits for the tail to read what was written before it began."""


class Operations:
    """``start`` once, ``stop`` once."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.board = Board()
        self.tail = OpsTail(settings, self.board, self.wake)
        self._changed = asyncio.Event()
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
            self.board.advance(int(time_of_day() * 1000))
            self.wake()
            await asyncio.sleep(TICK)
