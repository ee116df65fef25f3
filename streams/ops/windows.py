"""Windows of time over what processes measured: what one set of samples says, whatever order they came in. Pure.

A report becomes a ``Row``. Rows of ten seconds make a ``Cell``; six cells make a minute, sixty minutes an hour. Of a row, a
cell, a minute there is a ``Summary``, and ``merge`` puts two that follow each other together.
Invariants: a cell is a set of rows, so that one which comes again changes nothing, and one that comes late is where it would
have been; what a window says is a function of the rows in it and of the last one before it; a counter counts from 0 where its
process began again, or where it was not there before; nothing grows without end (``Limits``), and what is refused is counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

from streams.ops.reports import MOST_LABELS, MetricReport, MetricSample

CELL, MINUTE, HOUR = 10, 60, 3600
SIZES = (CELL, MINUTE, HOUR)
LATE_MS = 120_000
"""How much older than the newest row of its process a row may be."""
KEPT_MS = {CELL: LATE_MS + 180_000, MINUTE: LATE_MS + 2 * HOUR * 1000}
"""What cells and minutes are kept for: a late row changes its cell, its minute and its hour, and the ones behind them."""

MOST_VALUE = 1e300
"""An hour of samples of this size still has a sum."""
OWN_LABELS = 2
"""What a window's series has beyond those of a sample: component and instance."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``series``: of a cell; the first ones by name stay. ``rows``: of a cell; the earliest stay."""

    series: int = 2_000
    rows: int = 128


USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Row:
    """One report: ``values`` by ``key_of``. ``whole``: nothing was left out of it."""

    at_ms: int
    started_ms: int
    whole: bool
    values: Mapping[str, float]


def key_of(sample: MetricSample) -> str:
    """Kind (g: a level, c: a growth, h: part of a histogram), name and labels as one text."""
    kind = {"GAUGE": "g", "COUNTER": "c", "HISTOGRAM": "h"}[sample.kind]
    return kind + json.dumps([sample.name, dict(sorted(sample.labels.items()))], separators=(",", ":"))


@lru_cache(maxsize=32_768)
def parsed(key: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Kind, name, labels: the inverse."""
    name, labels = json.loads(key[1:])
    return key[0], name, tuple(labels.items())


def row_of(report: MetricReport) -> Row:
    """What is no number is left out, and what no window can say."""
    values = {key_of(sample): sample.value for sample in report.samples if _sayable(sample)}
    return Row(report.at_ms, report.started_ms, report.dropped == 0, values)


def _sayable(sample: MetricSample) -> bool:
    """Whether windows of it are within the limits of a record, and its sums those of a float."""
    return abs(sample.value) <= MOST_VALUE and len(sample.labels) <= MOST_LABELS - OWN_LABELS and _is_bound(sample)


def _is_bound(sample: MetricSample) -> bool:
    try:
        return sample.kind != "HISTOGRAM" or not math.isnan(float(sample.labels.get("le", "0")))
    except ValueError:
        return False


class Cell:
    """The rows of ten seconds, by their times."""

    def __init__(self, rows: Iterable[Row] = (), limits: Limits = USUAL) -> None:
        self.rows: dict[int, Row] = {}
        self._names: set[str] = set()
        self._limits = limits
        self._summary: Summary | None = None
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> int:
        """Takes a row in, unless one of its time is there. Returns how many series the cell refused."""
        if row.at_ms in self.rows:
            return 0
        self._summary = None
        self.rows[row.at_ms] = row
        self._names.update(row.values)
        for at_ms in sorted(self.rows)[self._limits.rows :]:
            del self.rows[at_ms]
        refused = sorted(self._names)[self._limits.series :] if len(self._names) > self._limits.series else []
        if refused:
            self._names.difference_update(refused)
            self.rows = {at_ms: self._cut(known) for at_ms, known in self.rows.items()}
        return len(refused)

    def _cut(self, row: Row) -> Row:
        if self._names.issuperset(row.values):
            return row
        return Row(row.at_ms, row.started_ms, False, {key: row.values[key] for key in row.values if key in self._names})

    def ordered(self) -> list[Row]:
        return [self.rows[at_ms] for at_ms in sorted(self.rows)]

    def summary(self) -> Summary:
        """Of its rows, of which there is at least one."""
        if self._summary is None:
            self._summary = summary_of([single(row) for row in self.ordered()])
        return self._summary


@dataclass(frozen=True, slots=True)
class End:
    """First or last row of a summary."""

    at_ms: int
    started_ms: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Growth:
    """How a growing series grew: by ``grown``, from ``first`` to ``last``. ``begins``, ``ends``: the first, last row has it."""

    first: float
    last: float
    grown: float = 0.0
    begins: bool = True
    ends: bool = True


@dataclass(frozen=True, slots=True)
class Level:
    """What a gauge was."""

    count: int
    total: float
    low: float
    high: float
    last: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Some rows that follow each other."""

    first: End
    last: End
    rows: int
    growths: Mapping[str, Growth]
    levels: Mapping[str, Level]

    def tail(self) -> Summary:
        """Its last row, as far as what comes next is compared with it."""
        growths = {key: Growth(growth.last, growth.last) for key, growth in self.growths.items() if growth.ends}
        return Summary(self.last, self.last, 0, growths, {})


def single(row: Row) -> Summary:
    """Of one row."""
    end = End(row.at_ms, row.started_ms, row.whole)
    growths = {key: Growth(value, value) for key, value in row.values.items() if key[0] != "g"}
    levels = {key: Level(1, value, value, value, value) for key, value in row.values.items() if key[0] == "g"}
    return Summary(end, end, 1, growths, levels)


def merge(a: Summary, b: Summary) -> Summary:
    """Both, of which ``a`` comes first. Associative, but for the last bits of sums."""
    began = a.last.started_ms != b.first.started_ms
    from_zero = began or a.last.whole
    growths = {key: _joined(a.growths.get(key), growth, began, from_zero) for key, growth in b.growths.items()}
    gone = {key: _ended(growth) for key, growth in a.growths.items() if key not in b.growths}
    levels = {key: _level(a.levels.get(key), level) for key, level in b.levels.items()}
    return Summary(a.first, b.last, a.rows + b.rows, {**growths, **gone}, {**a.levels, **levels})


def _joined(a: Growth | None, b: Growth, began: bool, from_zero: bool) -> Growth:
    """``began``: its process began again in between. ``from_zero``: what was not there before was 0."""
    step = 0.0
    if b.begins:
        if a is not None and a.ends and not began and b.first >= a.last:
            step = b.first - a.last
        elif (a is not None and a.ends) or from_zero:
            step = b.first
    if a is None:
        return Growth(b.first, b.last, b.grown + step, False, b.ends)
    return Growth(a.first, b.last, a.grown + step + b.grown, a.begins, b.ends)


def _ended(growth: Growth) -> Growth:
    return Growth(growth.first, growth.last, growth.grown, growth.begins, False)


def _level(a: Level | None, b: Level) -> Level:
    if a is None:
        return b
    return Level(a.count + b.count, a.total + b.total, min(a.low, b.low), max(a.high, b.high), b.last)


def summary_of(children: Sequence[Summary]) -> Summary:
    """Of one or more, in the order of time."""
    return reduce(merge, children)


@dataclass(frozen=True, slots=True)
class Step:
    """One child of a window: ``seconds`` since the one before it; what grew by how much, and the levels."""

    at_ms: int
    seconds: float
    grown: Mapping[str, float]
    levels: Mapping[str, Level]


def steps(before: Summary | None, children: Iterable[Summary]) -> Iterator[Step]:
    """What each child adds to what came before it. ``before``: the last row before the window, if there was one."""
    tail = before.tail() if before is not None else None
    for child in children:
        joined = child if tail is None else merge(tail, child)
        grown = {key: growth.grown for key, growth in joined.growths.items() if key in child.growths}
        yield Step(child.last.at_ms, (joined.last.at_ms - joined.first.at_ms) / 1000, grown, child.levels)
        tail = joined.tail()


def start_of(at_ms: int, seconds: int) -> int:
    """Start of the window of that length that ``at_ms`` lies in."""
    return at_ms - at_ms % (seconds * 1000)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a row did: which windows it changed, as (seconds, start); how many series were refused; whether it came too late."""

    changed: frozenset[tuple[int, int]] = frozenset()
    refused_series: int = 0
    late: bool = False


class History:
    """What is kept of one process: cells, and minutes made of them. ``newest``: time of its newest row, 0 before the first.

    ``minutes``: as they were kept, of which those that a late row may still change are made from cells again.
    """

    def __init__(
        self, cells: Mapping[int, Cell] | None = None, minutes: Mapping[int, Summary] | None = None, limits: Limits = USUAL
    ) -> None:
        self.cells = dict(cells or {})
        self.newest = max((max(cell.rows) for cell in self.cells.values()), default=0)
        self._limits = limits
        open_since = self.newest - LATE_MS - MINUTE * 1000
        kept = {start: summary for start, summary in (minutes or {}).items() if start < open_since}
        self._minutes: dict[int, Summary | None] = {**kept}
        for start in self.cells:
            self._minutes.setdefault(start_of(start, MINUTE), None)

    def take(self, row: Row) -> Taken:
        """Takes a row in. One that is known changes nothing; one that is too late is refused."""
        if row.at_ms < self.newest - LATE_MS:
            return Taken(late=True)
        cell = self.cells.setdefault(start_of(row.at_ms, CELL), Cell(limits=self._limits))
        if row.at_ms in cell.rows:
            return Taken()
        refused = cell.add(row)
        before, self.newest = self.newest, max(self.newest, row.at_ms)
        self._minutes[start_of(row.at_ms, MINUTE)] = None
        changed = set()
        for seconds in SIZES:
            own = start_of(row.at_ms, seconds)
            changed |= {(seconds, own), *self._behind(seconds, own)}
            if before and start_of(before, seconds) != start_of(self.newest, seconds):
                changed.add((seconds, start_of(before, seconds)))  # now closed
        return Taken(frozenset(changed), refused)

    def _behind(self, seconds: int, start: int) -> set[tuple[int, int]]:
        """The window behind, whose first step is measured from the end of this one."""
        later = [at for at in self.starts(seconds) if at > start]
        return {(seconds, min(later))} if later else set()

    def starts(self, seconds: int) -> set[int]:
        """Windows of this length that something is known of."""
        return set(self.cells) if seconds == CELL else {start_of(at, seconds) for at in self._minutes}

    def open_since(self) -> set[tuple[int, int]]:
        """Windows that a row, late or not, may still change."""
        since = self.newest - LATE_MS
        return {(seconds, start) for seconds in SIZES for start in self.starts(seconds) if start + seconds * 1000 > since}

    def forget(self) -> set[tuple[int, int]]:
        """Lets go of what no row can change any more, and says what that was."""
        gone = set()
        kept: tuple[tuple[int, dict[int, Any]], ...] = ((CELL, self.cells), (MINUTE, self._minutes))
        for seconds, windows in kept:
            for start in [start for start in windows if start + seconds * 1000 <= self.newest - KEPT_MS[seconds]]:
                if seconds == CELL:
                    self.minute(start_of(start, MINUTE))  # made while all its cells are there
                del windows[start]
                gone.add((seconds, start))
        return gone

    def is_closed(self, seconds: int, start: int) -> bool:
        """Whether a row behind it was seen."""
        return self.newest >= start + seconds * 1000

    def minute(self, start: int) -> Summary:
        """Of a minute that is known."""
        summary = self._minutes[start]
        if summary is None:
            inside = [at for at in sorted(self.cells) if start_of(at, MINUTE) == start]
            summary = self._minutes[start] = summary_of([self.cells[at].summary() for at in inside])
        return summary

    def steps(self, seconds: int, start: int) -> list[Step]:
        """What is to be said of a window, from rows, cells or minutes."""
        return list(steps(self._before(seconds, start), self._children(seconds, start)))

    def _children(self, seconds: int, start: int) -> list[Summary]:
        if seconds == CELL:
            return [single(row) for row in self.cells[start].ordered()]
        if seconds == MINUTE:
            return [self.cells[at].summary() for at in sorted(self.cells) if start_of(at, MINUTE) == start]
        return [self.minute(at) for at in sorted(self._minutes) if start_of(at, seconds) == start]

    def _before(self, seconds: int, start: int) -> Summary | None:
        """What came last before a window, if it is still known."""
        if seconds == CELL and (earlier := [at for at in self.cells if at < start]):
            return self.cells[max(earlier)].summary()
        known = [at for at in self._minutes if at < start_of(start, MINUTE)]
        return self.minute(max(known)) if known else None
