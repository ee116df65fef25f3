"""The newest past of all metrics, by series, as expressions look at it.

Assumes samples come in time order per series. Invariants: nothing older than ``keep`` seconds is held, nor more than ``limit``
series, the rest of which is counted, not held; a series that was not seen for ``STALE`` seconds has no newest value.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from streams.ops.alerts.expression import PREFIX, Matcher, Metric

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
    labels: Labels
    named: dict[str, str]
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    """Series that meet some matchers, among the first ``seen`` of a name."""

    seen: int = 0
    pasts: list[_Past] = field(default_factory=list)


class _Family:
    """The series of one name. Which of them a rule looks at is found once for each of them, not at each look."""

    def __init__(self) -> None:
        self.pasts: dict[Labels, _Past] = {}
        self._order: list[_Past] = []
        self._found: dict[tuple[Matcher, ...], _Found] = {}

    def add(self, labels: Labels) -> _Past:
        past = self.pasts[labels] = _Past(labels, dict(labels))
        self._order.append(past)
        return past

    def forget(self, before: float) -> int:
        """How many went, having ended before then."""
        over = [labels for labels, past in self.pasts.items() if past.times[-1] < before]
        for labels in over:
            del self.pasts[labels]
        if over:
            self._order = list(self.pasts.values())
            self._found.clear()
        return len(over)

    def matching(self, matchers: tuple[Matcher, ...]) -> list[_Past]:
        if not matchers:
            return self._order
        found = self._found.setdefault(matchers, _Found())
        for past in self._order[found.seen :]:
            if all(matcher.matches(past.named) for matcher in matchers):
                found.pasts.append(past)
        found.seen = len(self._order)
        return found.pasts


class Series:
    """All series of the last ``keep`` seconds."""

    def __init__(self, keep: float, limit: int = MOST_SERIES) -> None:
        self._keep = keep
        self._limit = limit
        self._families: dict[str, _Family] = {}
        self._count = 0
        self.refused = 0

    def add(self, samples: Iterable[Sample]) -> None:
        """Takes newer samples in."""
        for sample in samples:
            family = self._families.get(sample.name) or self._families.setdefault(sample.name, _Family())
            past = family.pasts.get(sample.labels)
            if past is None:
                if self._count >= self._limit:
                    self.refused += 1
                    continue
                past = family.add(sample.labels)
                self._count += 1
            past.times.append(sample.at)
            past.values.append(sample.value)
            old = bisect_left(past.times, sample.at - self._keep)
            del past.times[:old], past.values[:old]

    def forget(self, now: float) -> None:
        """Lets go of series that ended longer than ``keep`` ago."""
        for family in self._families.values():
            self._count -= family.forget(now - self._keep)

    def newest(self, metric: Metric, now: float) -> dict[Labels, float]:
        """The newest value of each series that matches."""
        return {past.labels: past.values[-1] for past in self._matching(metric) if past.times[-1] >= now - STALE}

    def window(self, metric: Metric, now: float) -> dict[Labels, tuple[list[float], list[float]]]:
        """(times, values) of each series that matches within its range; none of a series without a value there."""
        assert metric.seconds is not None
        found = {}
        for past in self._matching(metric):
            first = bisect_left(past.times, now - metric.seconds)
            if first < len(past.times):
                found[past.labels] = past.times[first:], past.values[first:]
        return found

    def measured(self, metric: Metric, labels: Labels, now: float) -> bool:
        """Whether any series that matches and has these labels has a newest value; of a histogram its buckets are meant too."""
        wanted = set(labels)
        pasts = [*self._matching(metric), *self._matching(replace(metric, name=f"{metric.name}_bucket"))]
        return any(past.times[-1] >= now - STALE and wanted.issubset(past.labels) for past in pasts)

    def _matching(self, metric: Metric) -> list[_Past]:
        family = self._families.get(metric.name)
        return family.matching(metric.matchers) if family is not None else []
