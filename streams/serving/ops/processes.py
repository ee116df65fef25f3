"""Processes of the deployment by what they say of themselves. Pure.

Invariants: one that has ended, or was silent for ``TTL_MS``, is gone, whatever it said last, and nothing that it measured
counts any more; one that was silent for ``FORGET_MS`` is forgotten; at most ``MOST`` are held, the longest silent give way.
Of a report only the samples in ``WANTED`` are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from streams.ops.reports import ENDED, HealthReport, MetricReport, MetricSample
from streams.serving.ops.increments import Increments, grown
from streams.serving.ops.series import COUNTERS, GAUGES, HISTOGRAMS

TTL_MS = 10_000
FORGET_MS = 600_000
MOST = 256
Key = tuple[str, str]
WANTED = GAUGES | COUNTERS


@dataclass(slots=True)
class Process:
    """``seen_ms``: when it last said anything. ``samples``: of its newest report, by name. ``ended``: it said that it ends, as
    it should, so nobody need miss it.
    """

    component: str
    instance: str
    seen_ms: int = 0
    started_ms: int = 0
    samples: dict[str, list[MetricSample]] = field(default_factory=dict)
    counted: dict[str, dict[str, float]] = field(default_factory=dict)
    health: HealthReport | None = None
    metrics_ms: int = 0
    ended: bool = False

    def gone(self, now_ms: int) -> bool:
        """Whether it has ended, or been silent for too long."""
        return self.ended or now_ms - self.seen_ms > TTL_MS


class Processes:
    """Newest reports of all."""

    def __init__(self) -> None:
        self._held: dict[Key, Process] = {}
        self.growth: dict[str, Increments] = defaultdict(Increments)
        """Of COUNTERS and HISTOGRAMS, by name."""

    def __iter__(self) -> Iterator[Process]:
        return iter(self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def take_metrics(self, report: MetricReport, at_ms: int) -> None:
        """``at_ms``: when it was seen. A report older than the newest of its process is passed over."""
        process = self._process(report.component, report.instance, at_ms)
        if report.at_ms < process.metrics_ms:
            return
        counted = _counted(report)
        if process.metrics_ms and process.started_ms == report.started_ms:
            for name, now in counted.items():
                self.growth[name].add(at_ms // 1000, grown(process.counted.get(name, {}), now))
        samples: dict[str, list[MetricSample]] = defaultdict(list)
        for sample in report.samples:
            if sample.name in WANTED:
                samples[sample.name].append(sample)
        process.samples, process.counted = samples, counted
        process.ended = any(sample.name == ENDED for sample in report.samples)
        process.metrics_ms, process.started_ms = report.at_ms, report.started_ms

    def take_health(self, report: HealthReport, at_ms: int) -> None:
        """As ``take_metrics``."""
        process = self._process(report.component, report.instance, at_ms)
        if process.health is None or report.at_ms >= process.health.at_ms:
            process.health = report

    def expire(self, now_ms: int) -> None:
        """Forgets who was silent for long."""
        for key in [key for key, process in self._held.items() if now_ms - process.seen_ms > FORGET_MS]:
            del self._held[key]

    def live(self, now_ms: int) -> list[Process]:
        """Those that are not gone."""
        return [process for process in self._held.values() if not process.gone(now_ms)]

    def _process(self, component: str, instance: str, at_ms: int) -> Process:
        key = (component, instance)
        process = self._held.get(key)
        if process is None:
            if len(self._held) >= MOST:
                del self._held[min(self._held, key=lambda held: self._held[held].seen_ms)]
            process = self._held[key] = Process(component, instance)
        process.seen_ms = max(process.seen_ms, at_ms)
        return process


def _counted(report: MetricReport) -> dict[str, dict[str, float]]:
    """Counters summed over their labels, histograms by bound."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for sample in report.samples:
        if sample.name in COUNTERS:
            found[sample.name][""] += sample.value
        elif sample.name in HISTOGRAMS:
            found[sample.name][sample.labels.get("le", "")] += sample.value
    return found
