"""The reports of all processes as samples, each under the process it is of. Pure: times are passed in.

Invariants: a process whose reports stop is a metric itself (``monmouth_target_up`` 0), until it said that it ends, another one
took its place, or ``GONE`` seconds have passed; no more than ``MOST`` are known. Labels of a sample stay what they are:
a gateway that says of another component that it failed is told apart by ``instance``.
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
        elif key in self._known:
            self._known[key].seen = at
        else:
            self._known.pop(self._replaced(report), None)
            if len(self._known) < MOST:
                self._known[key] = _Process(at)
        for sample in report.samples:
            if sample.name in self._wanted:
                yield Sample(sample.name, tuple(sorted({**place, **sample.labels}.items())), at, sample.value)

    def _replaced(self, new: MetricReport) -> Labels:
        """Whose place a process has taken that is seen for the first time: one of the same program on the same host that has
        said nothing since it began, the longest silent. Should that one live, its next report says so.
        """
        silent = [
            (process.seen, key)
            for key, process in self._known.items()
            if _host(dict(key)["instance"]) == _host(new.instance) != "" and dict(key)["component"] == new.component
        ]
        seen, key = min(silent, default=(0.0, ()))
        return key if seen < new.started_ms / 1000 else ()

    def ups(self, now: float, thin: float = 0.0) -> Iterator[Sample]:
        """Who answers at ``now``: said when it changes, and once a second. ``thin``: seconds in which reports are left out."""
        for key in [key for key, process in self._known.items() if process.seen < now - GONE]:
            del self._known[key]
        for key, process in self._known.items():
            up = float(now - process.seen <= self._silent + thin)
            if up != process.up or now - process.said >= UP_SECONDS:
                process.up, process.said = up, now
                yield Sample(UP, key, now, up)


def _host(instance: str) -> str:
    """Of a process that nobody gave a name; empty for others, which keep theirs when they begin again."""
    host, _, number = instance.rpartition(":")
    return host if number.isdecimal() else ""
