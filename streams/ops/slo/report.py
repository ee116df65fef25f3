"""What became of the objectives in a month: budget spent, days, the worst incidents, and what is not known. Pure.

An incident is a run of minutes with bad events, with at most ``PAUSE`` minutes between two of them. Invariants: days are those
of UTC; a day of which nothing is known says so and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import fmean

from streams.errors import ConfigurationError
from streams.ops.slo.budget import Count, Ledger, counted
from streams.ops.slo.minutes import MINUTE_MS
from streams.ops.slo.objectives import Objective

PAUSE = 5
WORST = 5
DAY_MINUTES = 1_440
SURE = 0.95
"""Share of the minutes that must be known for a month to be called met."""


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in UTC, in milliseconds."""

    name: str
    start_ms: int
    end_ms: int

    @classmethod
    def of(cls, name: str) -> Month:
        """Of ``2026-11``. Raises ConfigurationError."""
        try:
            first = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
        except ValueError:
            raise ConfigurationError(f"{name} is no month", "Write it like 2026-11.") from None
        after = (first + timedelta(days=31)).replace(day=1)
        return cls(f"{first:%Y-%m}", round(1000 * first.timestamp()), round(1000 * after.timestamp()))

    @classmethod
    def at(cls, now_ms: int) -> Month:
        """The one that holds a moment."""
        return cls.of(f"{datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m}")

    def days(self, until_ms: int) -> list[tuple[str, int, int]]:
        """(date, start, end) of each day that began before ``until_ms``."""
        found, start = [], self.start_ms
        while start < min(self.end_ms, until_ms):
            end = start + DAY_MINUTES * MINUTE_MS
            found.append((f"{datetime.fromtimestamp(start / 1000, UTC):%Y-%m-%d}", start, end))
            start = end
        return found


@dataclass(frozen=True, slots=True)
class Incident:
    """``share``: of the budget of the month so far."""

    start_ms: int
    end_ms: int
    count: Count
    share: float

    @property
    def minutes(self) -> int:
        return (self.end_ms - self.start_ms) // MINUTE_MS


@dataclass(frozen=True, slots=True)
class ObjectiveReport:
    """``days``: (date, events). ``incidents``: the worst. ``expected``: minutes of the month until now. ``times``: (start, end)
    of every incident, in milliseconds, in order.
    """

    objective: Objective
    count: Count
    days: tuple[tuple[str, Count], ...]
    incidents: tuple[Incident, ...]
    expected: int
    times: tuple[tuple[int, int], ...] = ()

    @property
    def repair_minutes(self) -> float | None:
        """Mean time to repair: how long an incident lasted. None without any."""
        return fmean((end - start) / MINUTE_MS for start, end in self.times) if self.times else None

    @property
    def between_minutes(self) -> float | None:
        """Mean time between failures: from the end of an incident to the start of the next. None of fewer than two."""
        pauses = [(start - end) / MINUTE_MS for (_, end), (start, _) in pairwise(self.times)]
        return fmean(pauses) if pauses else None

    @property
    def sure(self) -> bool:
        """Whether so much of the time is known that the verdict speaks of the month, not of what happened to be seen."""
        return self.count.minutes >= SURE * self.expected

    @property
    def budget_left(self) -> float | None:
        return self.count.budget_left(self.objective.allowed)

    @property
    def met(self) -> bool | None:
        """None where nothing is known."""
        return None if self.budget_left is None else self.budget_left >= 0

    @property
    def unknown_days(self) -> tuple[str, ...]:
        return tuple(date for date, count in self.days if not count.minutes)


@dataclass(frozen=True, slots=True)
class MonthReport:
    """``until_ms``: what was known when."""

    month: Month
    until_ms: int
    objectives: tuple[ObjectiveReport, ...]


def month_report(ledger: Ledger, objectives: Sequence[Objective], month: Month, now_ms: int) -> MonthReport:
    """Up to ``now_ms``, if the month goes on."""
    until = max(month.start_ms, min(month.end_ms, now_ms))
    return MonthReport(month, until, tuple(_objective(ledger, objective, month, until) for objective in objectives))


def _objective(ledger: Ledger, objective: Objective, month: Month, until_ms: int) -> ObjectiveReport:
    minutes = list(ledger.minutes(objective.name, month.start_ms, until_ms))
    days = tuple(
        (date, counted(count for at, count in minutes if start <= at < end)) for date, start, end in month.days(until_ms)
    )
    count = counted(count for _, count in minutes)
    incidents = _incidents(minutes, objective, count)
    worst = sorted(incidents, key=lambda incident: -incident.count.bad)[:WORST]
    times = tuple((incident.start_ms, incident.end_ms) for incident in incidents)
    return ObjectiveReport(objective, count, days, tuple(worst), (until_ms - month.start_ms) // MINUTE_MS, times)


def _incidents(minutes: Iterable[tuple[int, Count]], objective: Objective, whole: Count) -> list[Incident]:
    budget = whole.total * objective.allowed
    runs: list[list[tuple[int, Count]]] = []
    for at, count in minutes:
        if count.bad <= 0:
            continue
        if not runs or at - runs[-1][-1][0] > (PAUSE + 1) * MINUTE_MS:
            runs.append([])
        runs[-1].append((at, count))
    found = []
    for run in runs:
        count = counted(count for _, count in run)
        found.append(Incident(run[0][0], run[-1][0] + MINUTE_MS, count, count.bad / budget))
    return found
