"""The health of the whole deployment, as this gateway sees it: its own probes, what processes report, how far groups are.

Invariants: nothing is remembered beyond its time: reports count for ``health.ttl_seconds``, probes of the gateway's own parts
for a second, a monitor's findings until they are overdue; the health metrics say what the newest verdict says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from streams import wall
from streams.agents.base import StreamAgent
from streams.health import REWINDS
from streams.ops.health.components import Seen, components, spoken
from streams.ops.health.dependencies import Dependencies
from streams.ops.health.finding import Finding, together
from streams.ops.health.looks import cascade, store_components, things, weights_of
from streams.ops.health.monitor import Monitor, Prediction
from streams.ops.health.providers.broker import Broker
from streams.ops.health.topology import BROKER, needs_of
from streams.ops.health.verdict import Verdict, judge
from streams.serving import metrics
from streams.serving.ops.processes import FORGET_MS, MOST, Process
from streams.serving.probes import Probes
from streams.settings import GATEWAY, Settings

SILENT_REPORTS = 3
"""Reports that a process may miss, however seldom it reports."""
VIEWS = {"chain_view": (BROKER,), "graph_view": (BROKER,), "dashboard": (BROKER,)}
"""Parts of the gateway that need something themselves."""


class SystemHealth:
    """``itself``: (component, instance) under which this process reports, so that it is not told what it knows better."""

    def __init__(
        self,
        settings: Settings,
        specs: Iterable[type[StreamAgent]],
        probes: Probes,
        processes: Iterable[Process] = (),
        *,
        monitor: Monitor | None = None,
        broker: Broker | None = None,
        itself: tuple[str, str] | None = None,
        now: Callable[[], float] = wall.time_of_day,
    ) -> None:
        """Raises ConfigurationError where health.needs makes a circle."""
        own = {name: VIEWS.get(name, ()) for name in probes.names if name not in things(settings)}
        self.dependencies = Dependencies(needs_of(specs, store_components(settings), own)).overridden(settings.health.needs)
        self._settings = settings.health
        self._things = things(settings)
        self._weights = weights_of(settings.health)
        self._probes = probes
        self._processes = processes
        self._monitor = monitor
        self._broker = broker
        self._itself = itself
        self._now = now
        self._measured: set[str] = set()
        self._spoken: dict[str, float] = {}
        self._ttl = max(self._settings.ttl_seconds, SILENT_REPORTS * settings.ops.interval_seconds)
        self._cascade = cascade(settings)

    async def verdict(self) -> Verdict:
        """How all is now; sets the health metrics."""
        own = {GATEWAY: Finding("healthy")}
        for name, part in (await self._probes.components()).items():
            down = part.status == "failed"  # a probe fails by raising
            own[name] = Finding(part.status, part.message, seconds=part.milliseconds / 1000, down=down)
            self._cascade.told(name, own[name])
        for name, finding in self._monitor.found.items() if self._monitor is not None else ():
            own[name] = together((own[name], finding)) if name in own else finding
        seen = self._seen()
        groups = self._broker.groups if self._broker is not None else {}
        found = components(own, seen, groups, ttl=self._ttl, ages=self._missed(seen))
        self._place(found)
        verdict = judge(self.dependencies, found, self._weights)
        self._measure(verdict)
        return verdict

    @property
    def predictions(self) -> list[Prediction]:
        """Limits that this process will reach."""
        return self._monitor.predictions if self._monitor is not None else []

    def _place(self, found: Iterable[str]) -> None:
        """A program that the topic map does not know reports through the broker, and so needs at least that."""
        known = {*self.dependencies.order, *self._things}
        if strangers := [name for name in found if name not in known]:
            self.dependencies = self.dependencies.overridden(dict.fromkeys(strangers, (BROKER,)))

    def _missed(self, seen: list[Seen]) -> dict[str, float]:
        """Programs that must be there, and how long ago somebody spoke of them, also of those who are forgotten elsewhere."""
        now, ages = self._now(), spoken(seen, self._things)
        for name, age in ages.items():
            self._spoken[name] = max(now - age, self._spoken.get(name, -math.inf))
        ended = spoken([replace(process, ended=not process.ended) for process in seen], self._things)
        for name in ended.keys() - ages.keys():
            self._spoken.pop(name, None)
        while len(self._spoken) > MOST:
            del self._spoken[min(self._spoken, key=lambda name: self._spoken[name])]
        never = dict.fromkeys(self._settings.expected, math.inf)
        return never | {name: now - at for name, at in self._spoken.items()}

    def rewinding(self, stream_agent: str) -> bool:
        """Whether a live worker says that it follows a reorganisation there."""
        return any(
            part.name == stream_agent and REWINDS in part.detail
            for seen in self._seen()
            if seen.age <= self._ttl
            for part in seen.report.parts
        )

    def _measure(self, verdict: Verdict) -> None:
        metrics.HEALTHY.set(verdict.count("healthy"))
        metrics.DEGRADED.set(verdict.count("degraded"))
        metrics.HEALTH_SCORE.set(verdict.score)
        for name, one in verdict.components.items():
            metrics.COMPONENT_FAILED.labels(name).set(float(one.own.status == "failed" and not one.affected))
        for name in self._measured - verdict.components.keys():
            metrics.COMPONENT_FAILED.remove(name)
        self._measured = set(verdict.components)

    def _seen(self) -> list[Seen]:
        now = self._now()
        return [
            Seen(process.health, max(0.0, now - process.seen_ms / 1000), process.ended)
            for process in self._processes
            if process.health is not None
            and (process.component, process.instance) != self._itself
            and 1000 * now - process.seen_ms <= FORGET_MS  # the topic holds the last word of all there ever were
        ]
