"""Runs providers for as long as the process runs, and knows what each said last, damped, and what its values were.

Invariants: each provider is asked by one task, at its interval, and within ``timeout``; while its next answer may turn the
verdict it is asked sooner; what nobody has looked at for two intervals counts as failed; of each value the newest ``HISTORY``
are kept, and what cannot be reckoned with is counted and left out. What was not asked yet is not spoken of.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from prometheus_client import Counter

from streams.metrics import REGISTRY
from streams.ops.health.finding import Finding, Level
from streams.ops.health.flaps import Flaps
from streams.ops.health.predict import Breach, breach
from streams.ops.health.provider import Provider, ask
from streams.ops.reports import is_number

_log = logging.getLogger(__name__)
HISTORY = 100
MOST_LEVELS = 64
"""Values of one provider of which a history is kept."""
REFUSED = Counter(
    "monmouth_health_levels_refused_total",
    "Values that were not looked ahead from: no numbers, too great to reckon with, or too many of one component.",
    registry=REGISTRY,
)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks, for one look, and between looks in doubt; failures that make one failed, successes to mend."""

    interval: float = 30.0
    timeout: float = 10.0
    doubt: float = 2.0
    fail_after: int = 3
    recover_after: int = 2


@dataclass(frozen=True, slots=True)
class Prediction:
    """A limit of a component that will be reached."""

    component: str
    level: Level
    breach: Breach


class Monitor:
    """``heard``: told of each finding."""

    def __init__(
        self,
        providers: Sequence[Provider],
        pace: Pace,
        heard: Callable[[str, Finding], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._providers = providers
        self._pace = pace
        self._heard = heard
        self._clock = clock
        self._found: dict[str, tuple[float, Finding]] = {}
        self._overdue = {provider.name: 2 * (provider.interval or pace.interval) + pace.timeout for provider in providers}
        self._past: dict[tuple[str, str], deque[tuple[float, float]]] = {}
        self._predictions: dict[str, list[Prediction]] = {}

    @property
    def found(self) -> Mapping[str, Finding]:
        """What is to be said of each component that was asked. What was not looked at for long has failed."""
        now = self._clock()
        return {name: self._still(found, now - at, self._overdue[name]) for name, (at, found) in self._found.items()}

    def _still(self, found: Finding, age: float, overdue: float) -> Finding:
        return found if age <= overdue else Finding("failed", f"nobody has looked for {age:.0f} s")

    @property
    def predictions(self) -> list[Prediction]:
        """Limits in sight, the nearest first."""
        found = [one for predictions in self._predictions.values() for one in predictions]
        return sorted(found, key=lambda one: one.breach.expected)

    async def run(self) -> None:
        """Until cancelled; then closes the providers."""
        try:
            async with asyncio.TaskGroup() as group:
                for provider in self._providers:
                    group.create_task(self._watch(provider))
        finally:
            for provider in self._providers:
                with suppress(Exception):
                    await asyncio.wait_for(provider.close(), self._pace.timeout)

    async def _watch(self, provider: Provider) -> None:
        flaps = Flaps(self._pace.fail_after, self._pace.recover_after)
        usual = provider.interval or self._pace.interval
        while True:
            began = self._clock()
            found = flaps.take(await ask(provider, self._pace.timeout))
            await self._take(provider.name, found)
            pause = min(self._pace.doubt, usual) if flaps.in_doubt else usual
            await asyncio.sleep(max(0.0, pause - (self._clock() - began)))

    async def _take(self, name: str, found: Finding) -> None:
        before = self._found.get(name)
        self._found[name] = self._clock(), found
        if before is None or before[1].status != found.status:
            _log.log(
                logging.INFO if found.status == "healthy" else logging.WARNING, "%s is %s %s", name, found.status, found.detail
            )
        if self._heard is not None:
            self._heard(name, found)
        levels = [level for level in found.levels[:MOST_LEVELS] if is_number(level.value)]
        REFUSED.inc(len(found.levels) - len(levels))
        self._remember(name, levels)
        self._predictions[name] = await asyncio.to_thread(self._predict, name, levels)

    def _remember(self, name: str, levels: Sequence[Level]) -> None:
        now = self._clock()
        for level in levels:
            self._past.setdefault((name, level.of), deque(maxlen=HISTORY)).append((now, level.value))
        current = {level.of for level in levels}
        for key in [key for key in self._past if key[0] == name and key[1] not in current]:
            del self._past[key]

    def _predict(self, name: str, levels: Sequence[Level]) -> list[Prediction]:
        found = []
        for level in levels:
            times, values = zip(*self._past[name, level.of], strict=True)
            if (expected := breach(times, values, level.limit)) is not None:
                found.append(Prediction(name, level, expected))
        return found
