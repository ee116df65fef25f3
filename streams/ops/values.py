"""What a window says of its series in numbers: rates, percentiles, levels and trends. Pure.

Assumes steps in the order of time. Percentiles are read off the buckets of a histogram as Prometheus does: evenly spread inside
a bucket, the highest finite bound where more was observed. A trend is the slope of the least squares line through what the
steps of a window say, by the second; it takes three steps.
Invariant: a number is said only where it was measured: no rate without time, no percentile without an observation.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from streams.ops.reports import Window
from streams.ops.windows import History, Level, Step, parsed

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
FEWEST = 3
"""Steps that a trend takes."""

Series = tuple[str, tuple[tuple[str, str], ...]]
Points = Sequence[tuple[float, float]]


def windows_of(process: Mapping[str, str], history: History, seconds: int, start: int) -> Iterator[Window]:
    """What is to be said of each series in a window.

    ``process``: labels of the process, which its series get; an own one of that name is called exported, as Prometheus does.
    """
    found = history.steps(seconds, start)
    closed, at_ms = history.is_closed(seconds, start), found[-1].at_ms
    for kind, (name, labels), count, values in said(found):
        own = {f"exported_{label}" if label in process else label: value for label, value in labels}
        yield Window(kind, name, {**own, **process}, seconds, start, at_ms, closed, count, values)


def said(found: Sequence[Step]) -> Iterator[tuple[str, Series, int, dict[str, float]]]:
    """(kind, series, number of steps, numbers) of each series."""
    counters: dict[Series, list[tuple[Step, float]]] = defaultdict(list)
    gauges: dict[Series, list[tuple[Step, Level]]] = defaultdict(list)
    histograms: dict[Series, list[tuple[Step, dict[str, float]]]] = defaultdict(list)
    for step in found:
        parts: dict[Series, dict[str, float]] = defaultdict(dict)
        for key, grown in step.grown.items():
            kind, name, labels = parsed(key)
            if kind == "c":
                counters[name, labels].append((step, grown))
            else:
                series, part = _part(name, labels)
                parts[series][part] = grown
        for series, buckets in parts.items():
            histograms[series].append((step, buckets))
        for key, level in step.levels.items():
            _, name, labels = parsed(key)
            gauges[name, labels].append((step, level))
    for series, growths in counters.items():
        yield "rate", series, len(growths), _rate(growths)
    for series, levels in gauges.items():
        yield "gauge", series, len(levels), _levels(levels)
    for series, bucketed in histograms.items():
        yield "percentiles", series, len(bucketed), _distribution(bucketed)


@lru_cache(maxsize=32_768)
def _part(name: str, labels: tuple[tuple[str, str], ...]) -> tuple[Series, str]:
    """The histogram that a sample is of, and which part of it: a bound, sum or count."""
    for suffix in ("_bucket", "_sum", "_count"):
        if name.endswith(suffix):
            rest = tuple((label, value) for label, value in labels if label != "le")
            return (name.removesuffix(suffix), rest), dict(labels).get("le", suffix[1:])
    return (name, labels), "other"


def _rate(growths: Sequence[tuple[Step, float]]) -> dict[str, float]:
    seconds, increase = sum(step.seconds for step, _ in growths), math.fsum(grown for _, grown in growths)
    values = {"increase": increase}
    if seconds > 0:
        values["rate"] = increase / seconds
    return values | trend([(step.at_ms / 1000, grown / step.seconds) for step, grown in growths if step.seconds > 0])


def _levels(levels: Sequence[tuple[Step, Level]]) -> dict[str, float]:
    count = sum(level.count for _, level in levels)
    return {
        "min": min(level.low for _, level in levels),
        "mean": math.fsum(level.total for _, level in levels) / count,
        "max": max(level.high for _, level in levels),
        "last": levels[-1][1].last,
    } | trend([(step.at_ms / 1000, level.total / level.count) for step, level in levels])


def _distribution(bucketed: Sequence[tuple[Step, dict[str, float]]]) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for _, parts in bucketed:
        for part, grown in parts.items():
            totals[part] += grown
    seconds, count = sum(step.seconds for step, _ in bucketed), totals.get("count", 0.0)
    values = {"count": count}
    if seconds > 0:
        values["rate"] = count / seconds
    if count <= 0:
        return values
    if "sum" in totals:  # anybody may report a part of a histogram
        values["mean"] = totals["sum"] / count
    bounds = sorted((float(part), grown) for part, grown in totals.items() if part not in {"sum", "count", "other"})
    values |= {name: quantile(share, bounds) for name, share in PERCENTILES.items() if bounds}
    means = [
        (step.at_ms / 1000, parts["sum"] / parts["count"])
        for step, parts in bucketed
        if "sum" in parts and parts.get("count", 0) > 0
    ]
    return values | trend(means)


def quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float:
    """``buckets``: (upper bound, observations up to it), ascending, the last one infinite; some were observed."""
    wanted = share * buckets[-1][1]
    lower, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            if math.isinf(bound):
                return lower
            if count == below:
                return bound
            start = min(lower, bound) if lower or bound > 0 else bound
            return start + (bound - start) * (wanted - below) / (count - below)
        lower, below = bound, count
    return lower


def trend(points: Points) -> dict[str, float]:
    """The slope, a second, where there are points enough."""
    if len(points) < FEWEST:
        return {}
    begin = points[0][0]
    times, values = [at - begin for at, _ in points], [value for _, value in points]
    middle, mean = math.fsum(times) / len(times), math.fsum(values) / len(values)
    spread = math.fsum((at - middle) ** 2 for at in times)
    if spread == 0:
        return {}
    return {"slope": math.fsum((at - middle) * (value - mean) for at, value in zip(times, values, strict=True)) / spread}
