"""Budgets and burn rates of an objective. Pure.

Budget left = 1 - bad / (total x allowed), of a month or any span: 1 untouched, 0 used up, less than 0 overdrawn. Burn rate of a
span = (bad / total) / allowed: at 1 a budget lasts exactly its month. Alerts by several windows at once: a long one, so that
what passes soon wakes nobody, and a short one, so that it ends soon after the cause (the Site Reliability Workbook, chapter 5).
Invariants: where nothing happened, or nothing is known, there is no rate: None, neither good nor bad; no alert comes of fewer
bad events than its objective takes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from streams.ops.reports import Window
from streams.ops.slo.minutes import MINUTE_MS, MINUTES, Half
from streams.ops.slo.objectives import Objective

WINDOWS = {"5m": 300, "30m": 1_800, "1h": 3_600, "2h": 7_200, "6h": 21_600, "1d": 86_400, "3d": 259_200}
"""Spans of burn rates in seconds."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Both windows must burn ``factor`` times as fast as a budget allows. ``speed``: which alert it is part of."""

    speed: str
    factor: float
    long: str
    short: str


POLICIES = (
    Policy("fast", 14.4, "1h", "5m"),
    Policy("fast", 6.0, "6h", "30m"),
    Policy("slow", 3.0, "1d", "2h"),
    Policy("slow", 1.0, "3d", "6h"),
)
"""2 % of a month's budget within an hour, 5 % within six; 10 % within a day, and as much within three."""
SPEEDS = ("fast", "slow")


@dataclass(frozen=True, slots=True)
class Count:
    """Events of a span; ``minutes``: of how many something is known."""

    total: float = 0.0
    bad: float = 0.0
    minutes: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.total + other.total, self.bad + other.bad, self.minutes + other.minutes)

    @property
    def bad_share(self) -> float | None:
        return self.bad / self.total if self.total > 0 else None

    def burn_rate(self, allowed: float) -> float | None:
        share = self.bad_share
        return None if share is None else share / allowed

    def budget_left(self, allowed: float) -> float | None:
        rate = self.burn_rate(allowed)
        return None if rate is None else 1 - rate


class Ledger:
    """The half hours of all processes, by objective and minute. A half hour that comes again takes the place of the former."""

    def __init__(self) -> None:
        self._halves: dict[str, dict[int, dict[bytes, Half]]] = defaultdict(dict)
        self._sums: dict[tuple[str, int], list[tuple[int, Count]]] = {}  # of all processes, made when they are asked for

    def take(self, window: Window) -> None:
        """Raises SchemaError for what is no half hour."""
        self._halves[window.name].setdefault(window.start_ms, {})[window.key] = Half.of(window)
        self._sums.pop((window.name, window.start_ms), None)

    def forget(self, before_ms: int) -> None:
        """Lets go of half hours that ended before."""
        for name, halves in self._halves.items():
            for start in [start for start in halves if start + MINUTES * MINUTE_MS <= before_ms]:
                del halves[start]
                self._sums.pop((name, start), None)

    def minutes(self, name: str, start_ms: int, end_ms: int) -> Iterator[tuple[int, Count]]:
        """(start, events) of each known minute that began within a span, in order."""
        for start in sorted(self._halves.get(name, {})):
            if start + MINUTES * MINUTE_MS <= start_ms or start >= end_ms:
                continue
            for begin, count in self._summed(name, start):
                if start_ms <= begin < end_ms:
                    yield begin, count

    def _summed(self, name: str, start: int) -> list[tuple[int, Count]]:
        found = self._sums.get((name, start))
        if found is None:
            found = self._sums[name, start] = list(_minutes(start, self._halves[name][start].values()))
        return found

    def count(self, name: str, start_ms: int, end_ms: int) -> Count:
        """Of a span."""
        return counted(count for _, count in self.minutes(name, start_ms, end_ms))


def _minutes(start: int, halves: Collection[Half]) -> Iterator[tuple[int, Count]]:
    for at in range(MINUTES):
        known = [half for half in halves if half.known >> at & 1]
        if known:
            yield start + at * MINUTE_MS, Count(sum(half.total[at] for half in known), sum(half.bad[at] for half in known), 1)


def counted(counts: Iterable[Count]) -> Count:
    """All together."""
    return sum(counts, Count())


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast the budget of an objective burns. ``counts``: by window, of the minutes that began within it, this one too."""

    objective: Objective
    counts: Mapping[str, Count]

    @classmethod
    def at(cls, ledger: Ledger, objective: Objective, now_ms: int) -> Burn:
        """As it is at a moment."""
        spans = {window: now_ms - 1000 * seconds for window, seconds in WINDOWS.items()}
        return cls(objective, {window: ledger.count(objective.name, start, now_ms + 1) for window, start in spans.items()})

    @property
    def rates(self) -> dict[str, float | None]:
        """By window."""
        return {window: count.burn_rate(self.objective.allowed) for window, count in self.counts.items()}

    @property
    def speeds(self) -> dict[str, float]:
        """By speed, how many times what an alert takes; more than 1 is one. Without a rate of both windows it is not there."""
        found: dict[str, float] = {}
        rates = self.rates
        for policy in POLICIES:
            long, short = rates[policy.long], rates[policy.short]
            if long is not None and short is not None:
                burn = min(long, short) / policy.factor if self.counts[policy.long].bad >= self.objective.least_bad else 0.0
                found[policy.speed] = max(found.get(policy.speed, 0.0), burn)
        return found
