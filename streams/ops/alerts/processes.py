"""The reports of all processes as samples, each under the process it is of. Pure: times are passed in.

Invariants: a process whose reports stop is a metric itself (``monmouth_target_up`` 0), until it said that it ends or ``GONE``
seconds have passed; no more than ``MOST`` are known at a time; labels of a sample stay what they are: a gateway that says of
another component that it failed is told apart by ``instance``.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from streams.ops.alerts.series import UP, Labels, Sample
from streams.ops.reports import ENDED, MetricReport

GONE = 900.0
MOST = 2_000
UP_SECONDS = 1.0


@dataclass(slots=True)
class _Process:
    seen: float
    up: float = -1.0
    said: float = 0.0


class Processes:
    """``wanted``: names of samples that are looked at. ``silent``: seconds after which a process does not answer."""

    def __init__(self, wanted: Container[str], silent: float) -> None:
        self._wanted = wanted
        self._silent = silent
        self._known: dict[Labels, _Process] = {}

    def take(self, report: MetricReport, at: float) -> Iterator[Sample]:
        """What a report says at ``at``."""
        place = {"component": report.component, "instance": report.instance}
        key = tuple(sorted(place.items()))
        if any(sample.name == ENDED for sample in report.samples):
            self._known.pop(key, None)
        elif key in self._known or len(self._known) < MOST:
            self._known.setdefault(key, _Process(at)).seen = at
        for sample in report.samples:
            if sample.name in self._wanted:
                yield Sample(sample.name, tuple(sorted({**place, **sample.labels}.items())), at, sample.value)

    def ups(self, now: float, thin: float = 0.0) -> Iterator[Sample]:
        """Who answers at ``now``: said when it changes, and once a second. ``thin``: seconds in which reports are left out."""
        for key in [key for key, process in self._known.items() if process.seen < now - GONE]:
            del self._known[key]
        for key, process in self._known.items():
            up = float(now - process.seen <= self._silent + thin)
            if up != process.up or now - process.said >= UP_SECONDS:
                process.up, process.said = up, now
                yield Sample(UP, key, now, up)
