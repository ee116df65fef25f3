"""The newest past of all metrics, by series, as expressions look at it.

Assumes samples come in time order per series. Invariants: nothing older than ``keep`` seconds is held, nor more than ``limit``
series, the rest of which is counted, not held; a series that was not seen for ``STALE`` seconds has no newest value.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from streams.ops.alerts.expression import PREFIX, Metric

STALE = 30.0
MOST_SERIES = 20_000
UP = PREFIX + "target_up"
"""1 while an address serves its metrics, else 0."""
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series. ``at``: seconds on the reader's clock."""

    name: str
    labels: Labels
    at: float
    value: float


@dataclass(slots=True)
class _Past:
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class Series:
    """All series of the last ``keep`` seconds."""

    def __init__(self, keep: float, limit: int = MOST_SERIES) -> None:
        self._keep = keep
        self._limit = limit
        self._pasts: dict[str, dict[Labels, _Past]] = {}
        self._count = 0
        self.refused = 0

    def add(self, samples: Iterable[Sample]) -> None:
        """Takes newer samples in."""
        for sample in samples:
            pasts = self._pasts.setdefault(sample.name, {})
            past = pasts.get(sample.labels)
            if past is None:
                if self._count >= self._limit:
                    self.refused += 1
                    continue
                past = pasts[sample.labels] = _Past()
                self._count += 1
            past.times.append(sample.at)
            past.values.append(sample.value)
            old = bisect_left(past.times, sample.at - self._keep)
            del past.times[:old], past.values[:old]

    def forget(self, now: float) -> None:
        """Lets go of series that ended longer than ``keep`` ago."""
        for pasts in self._pasts.values():
            for labels in [labels for labels, past in pasts.items() if past.times[-1] < now - self._keep]:
                del pasts[labels]
                self._count -= 1

    def newest(self, metric: Metric, now: float) -> dict[Labels, float]:
        """The newest value of each series that matches."""
        return {labels: past.values[-1] for labels, past in self._matching(metric) if past.times[-1] >= now - STALE}

    def window(self, metric: Metric, now: float) -> dict[Labels, tuple[list[float], list[float]]]:
        """(times, values) of each series that matches within its range; none of a series without a value there."""
        assert metric.seconds is not None
        found = {}
        for labels, past in self._matching(metric):
            first = bisect_left(past.times, now - metric.seconds)
            if first < len(past.times):
                found[labels] = past.times[first:], past.values[first:]
        return found

    def _matching(self, metric: Metric) -> Iterator[tuple[Labels, _Past]]:
        for labels, past in self._pasts.get(metric.name, {}).items():
            if all(matcher.matches(dict(labels)) for matcher in metric.matchers):
                yield labels, past
