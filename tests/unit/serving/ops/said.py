"""Reports as processes write them."""

from __future__ import annotations

from streams.ops.reports import AlertRecord, HealthPart, HealthReport, MetricReport, MetricSample, Window

NOW = 1_800_000_000_000


def gauge(name: str, value: float, **labels: str) -> MetricSample:
    return MetricSample(name, "GAUGE", labels, value)


def counter(name: str, value: float, **labels: str) -> MetricSample:
    return MetricSample(name, "COUNTER", labels, value)


def bucket(name: str, le: str, value: float) -> MetricSample:
    return MetricSample(f"{name}_bucket", "HISTOGRAM", {"le": le}, value)


def metrics(component: str, at_ms: int, *samples: MetricSample, instance: str = "1", started_ms: int = 1) -> MetricReport:
    return MetricReport(component, instance, at_ms, samples, started_ms)


def health(component: str, at_ms: int, *parts: HealthPart, instance: str = "1") -> HealthReport:
    order = ("failed", "degraded", "healthy")
    status = min((part.status for part in parts), key=order.index, default="healthy")
    score = sum(part.score for part in parts) / len(parts) if parts else 1.0
    return HealthReport(component, instance, at_ms, status, score, parts)


def alert(rule: str, at_ms: int, state: str = "firing", severity: str = "warning", **labels: str) -> AlertRecord:
    return AlertRecord(rule, labels, severity, state, at_ms, 1.0, f"{rule} is {state}")  # type: ignore[arg-type]


def window(kind: str, name: str, start_ms: int, **values: float) -> Window:
    return Window(kind, name, {}, 60, start_ms, start_ms + 60_000, True, 60, values)
