"""The live state of the deployment: a fold of the topics of operations and of the chain's events, and questions to it. Pure.

Time comes from outside: ``advance`` says what time it is, and every report is told when it was seen. Invariants: everything
held is bounded (processes, alerts, windows, reorganisations, points of series); what nobody has reported for a while is gone
or absent, never well; folding the same records again changes nothing but the times.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from streams.core.block import Step
from streams.core.canonical import ChainStep
from streams.core.checkpoint import NOWHERE, Checkpoint
from streams.ops.health.verdict import Verdict
from streams.ops.reports import AlertRecord, HealthReport, MetricReport, MetricSample, Window
from streams.serving.ops import series as named
from streams.serving.ops.history import History
from streams.serving.ops.increments import quantile
from streams.serving.ops.processes import TTL_MS, Process, Processes
from streams.serving.ops.reorgs import Place, Reorgs, Stand
from streams.serving.ops.series import SERIES, Fold

ALERTS_KEPT = 500
RESOLVED_KEPT = 50
WINDOWS_KEPT = 200
STANDINGS_KEPT = 4_096
WINDOWS_TTL_MS = 120_000
"""Windows that are not written for so long are absent: whoever makes them has ended."""
VERDICT_TTL_MS = 15_000
RATE_SPAN = 10


class Board:
    """``version`` grows with every change that somebody may want to see."""

    def __init__(self) -> None:
        self.version = 0
        self.now_ms = 0
        self.processes = Processes()
        self.reorgs = Reorgs()
        self.standings: dict[Place, Stand] = {}
        self.alerts: dict[bytes, AlertRecord] = {}
        self.fired = 0
        """Alerts that began to fire."""
        self.resolved: OrderedDict[bytes, AlertRecord] = OrderedDict()
        self.history: dict[str, History] = {name: History() for name in SERIES}
        self._verdict: Verdict | None = None
        self._verdict_ms = 0
        self.predictions: Sequence[str] = ()
        """What will break, in words, as of the newest verdict."""
        self._windows: OrderedDict[tuple[str, str, int], Window] = OrderedDict()
        self._windows_ms: int | None = None
        self._second: int | None = None

    def take_metrics(self, report: MetricReport, seen_ms: int) -> None:
        """A report of ops.metrics."""
        self.processes.take_metrics(report, seen_ms)
        self.version += 1

    def take_health(self, report: HealthReport, seen_ms: int) -> None:
        """A report of ops.health."""
        self.processes.take_health(report, seen_ms)
        self.version += 1

    def take_alert(self, key: bytes, alert: AlertRecord | None) -> None:
        """A record of ops.alerts; None: it was taken back."""
        self.version += 1
        before = self.alerts.pop(key, None)
        self.resolved.pop(key, None)
        if alert is None:
            return
        if alert.state == "firing":
            self.fired += before is None
            self.alerts[key] = alert
            if len(self.alerts) > ALERTS_KEPT:
                del self.alerts[next(iter(self.alerts))]
            return
        self.resolved[key] = alert
        if len(self.resolved) > RESOLVED_KEPT:
            self.resolved.popitem(last=False)

    def take_window(self, window: Window, seen_ms: int) -> None:
        """A record of ops.windows about an objective; of each series the newest counts."""
        self._windows_ms = max(seen_ms, self._windows_ms or 0)
        key = (window.kind, window.series, window.seconds)
        held = self._windows.get(key)
        if held is not None and held.start_ms > window.start_ms:
            return
        self._windows[key] = window
        self._windows.move_to_end(key)
        if len(self._windows) > WINDOWS_KEPT:
            self._windows.popitem(last=False)
        self.version += 1

    def take_verdict(self, verdict: Verdict, predictions: Sequence[str], at_ms: int) -> None:
        """How this gateway judges the whole."""
        self._verdict, self._verdict_ms, self.predictions = verdict, at_ms, predictions
        self.version += 1

    def take_step(self, step: ChainStep, at_ms: int) -> None:
        """A notification of the chain, written at ``at_ms``."""
        if step.step is Step.UNDO:
            self.reorgs.take(step, at_ms, self.standings)
        self.version += 1

    def take_tip(self, tip: Checkpoint, at_ms: int) -> None:
        """Where a stream agent's partition stands after its last transaction, written at ``at_ms``."""
        place = (tip.stream_agent, tip.partition)
        before = self.standings.get(place)
        if before is None and len(self.standings) >= STANDINGS_KEPT:
            return
        block = None if tip.at.block == NOWHERE else tip.at.block
        stand = Stand(tip.at.sequence, block, dict(tip.offsets), at_ms, None if before is None else before.sequence)
        self.standings[place] = stand
        self.reorgs.stands(place, stand)
        self.version += 1

    def advance(self, now_ms: int) -> None:
        """It is ``now_ms``: takes a point of each series for a second that has passed."""
        self.now_ms = max(self.now_ms, now_ms)
        second = self.now_ms // 1000 - 1
        if self._second is not None and second <= self._second:
            return
        # Who was late to look sees for the seconds before what it sees now: reports count for as long.
        missed = 0 if self._second is None else min(second - self._second - 1, TTL_MS // 1000)
        self._second = second
        self.processes.expire(self.now_ms)
        measured = Measures(self.processes.live(self.now_ms), self.processes, second, self.score())
        for name, spec in SERIES.items():
            value = spec.value(measured)
            for at in range(second - missed, second + 1):
                self.history[name].add(at, value)
        self.version += 1

    def windows(self) -> list[Window] | None:
        """The newest of each series; None where nobody makes any."""
        if self._windows_ms is None or self.now_ms - self._windows_ms > WINDOWS_TTL_MS:
            return None
        return list(self._windows.values())

    @property
    def verdict(self) -> Verdict | None:
        """The newest, unless it is too old to say anything of now."""
        return self._verdict if self.now_ms - self._verdict_ms <= VERDICT_TTL_MS else None

    def score(self) -> float | None:
        """The verdict's; without one the mean over the processes, of whom one that is gone counts nought.

        None if nobody reports.
        """
        if self.verdict is not None:
            return self.verdict.score
        scores = [
            0.0 if process.gone(self.now_ms) else process.health.score
            for process in self.processes
            if process.health is not None
        ]
        return sum(scores) / len(scores) if scores else None

    def measures(self) -> Measures:
        """What the processes that live say now."""
        return Measures(self.processes.live(self.now_ms), self.processes, self.now_ms // 1000, self.score())


class Measures:
    """``named.Measured``, at one second."""

    def __init__(self, live: list[Process], processes: Processes, second: int, score: float | None) -> None:
        self._live = live
        self._processes = processes
        self._second = second
        self._score = score

    def samples(self, name: str) -> Iterable[tuple[Process, MetricSample]]:
        """Of the processes that live."""
        return ((process, sample) for process in self._live for sample in process.samples.get(name, ()))

    def gauge(self, name: str, fold: Fold) -> float | None:
        values = [sample.value for _, sample in self.samples(name)]
        return fold(values) if values else None

    def total(self, name: str) -> float | None:
        """A counter's state, of the processes that live together."""
        values = [process.counted[name][""] for process in self._live if name in process.counted]
        return sum(values) if values else None

    def growth(self, name: str, span: int) -> dict[str, float] | None:
        """In the last ``span`` seconds; None if no process that lives counts it."""
        if not any(name in process.counted for process in self._live):
            return None
        return self._processes.growth[name].over(self._second, span)

    def rate(self, name: str) -> float | None:
        grown = self.growth(name, RATE_SPAN)
        return None if grown is None else sum(grown.values()) / RATE_SPAN

    def quantile(self, name: str, share: float) -> float | None:
        grown = self.growth(f"{name}_bucket", 60)
        return None if grown is None else quantile(grown, share)

    def mean(self, name: str) -> float | None:
        """Of a histogram's observations in the last minute."""
        total, count = (self.growth(f"{name}{end}", 60) for end in ("_sum", "_count"))
        seen = sum(count.values()) if count else 0.0
        return sum(total.values()) / seen if total and seen else None

    def waiting(self) -> float | None:
        received = {_place(process, sample): sample.value for process, sample in self.samples(named.RECEIVED)}
        gaps = [
            max(0.0, received[place] - sample.value)
            for process, sample in self.samples(named.POSITION)
            if (place := _place(process, sample)) in received
        ]
        return sum(gaps) if gaps else None

    def score(self) -> float | None:
        return self._score


def _place(process: Process, sample: MetricSample) -> tuple[str, str, str, str, str]:
    labels = sample.labels
    return process.component, process.instance, labels.get("agent", ""), labels.get("topic", ""), labels.get("partition", "")
