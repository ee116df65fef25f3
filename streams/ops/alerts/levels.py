"""How objectives stand by ops.slo, read again and again beside the watch, so that reading it delays no alert."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from streams.ops.alerts.series import Sample
from streams.ops.reports import Window
from streams.ops.slo.history import SloHistory
from streams.ops.slo.objectives import Objective
from streams.ops.slo.standing import samples, windows

SLO_SECONDS = 5.0
SAY_SECONDS = 30.0
LEDGER_MS = 35 * 86_400_000
"""What is held of ops.slo: a month, and the longest window before it."""


class Levels:
    """``fresh`` and ``due`` give each thing once."""

    def __init__(self, history: SloHistory, objectives: Sequence[Objective]) -> None:
        self._history = history
        self._objectives = objectives
        self._windows: list[Window] = []
        self._said = -math.inf
        self._samples: list[Sample] = []

    async def read(self, now: float) -> None:
        """Takes in what is new, and looks at it as it is at ``now``."""
        await self._history.read()
        at_ms, ledger = round(1000 * now), self._history.ledger
        self._samples = list(samples(ledger, self._objectives, at_ms))
        if now - self._said >= SAY_SECONDS:
            self._said = now
            ledger.forget(at_ms - LEDGER_MS)
            self._windows = list(windows(ledger, self._objectives, at_ms))

    async def follow(self, now: Callable[[], float]) -> None:
        """Until cancelled. Raises LogError."""
        while True:
            await asyncio.sleep(SLO_SECONDS)
            await self.read(now())

    def fresh(self) -> list[Sample]:
        """What rules look at, if it was read anew."""
        found, self._samples = self._samples, []
        return found

    def due(self) -> list[Window]:
        """Windows to be said."""
        found, self._windows = self._windows, []
        return found

    async def close(self) -> None:
        await self._history.close()
