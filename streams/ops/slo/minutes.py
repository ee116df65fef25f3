"""Minutes of good and bad events of one process, as half hours that can be written again and again. Pure.

Reports hold counters that only grow while a process lives. What they grew by between two reports counts for the minute of the
later one. Invariants: a report that is not newer than the last changes nothing, so that one which comes twice counts once; a
process that begins anew counts from zero, and what it had counted before stays; a minute without a report is unknown, which is
neither good nor bad, and so is one whose reports say what is no count. What a process counted before it was first seen is left
out, unless it had just begun.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from schemas.codec import SchemaError
from streams.ops.reports import MetricReport, Window, is_count
from streams.ops.slo.objectives import Objective

KIND = "slo"
MINUTE_MS = 60_000
MINUTES = 30
SECONDS = 60 * MINUTES
HALF_MS = MINUTES * MINUTE_MS
NOTHING = (0.0, 0.0)
YOUNG_MS = 60_000
"""A process first seen at this age has counted all its events just now."""


@dataclass(slots=True)
class Half:
    """Half an hour: events of each of its minutes, and which of them are ``known``, a bit each."""

    total: list[float] = field(default_factory=lambda: [0.0] * MINUTES)
    bad: list[float] = field(default_factory=lambda: [0.0] * MINUTES)
    known: int = 0

    def add(self, minute: int, total: float, bad: float) -> None:
        """Events of a minute, which is known from now on."""
        self.total[minute] += total
        self.bad[minute] += bad
        self.known |= 1 << minute

    def window(self, name: str, labels: Mapping[str, str], start_ms: int, at_ms: int) -> Window:
        """What is published: numbers that are not zero."""
        values = {f"t{at}": value for at, value in enumerate(self.total) if value}
        values |= {f"b{at}": value for at, value in enumerate(self.bad) if value}
        closed = at_ms >= start_ms + HALF_MS
        values["known"] = float(self.known)
        return Window(KIND, name, labels, SECONDS, start_ms, at_ms, closed, self.known.bit_count(), values)

    @classmethod
    def of(cls, window: Window) -> Self:
        """The inverse. Raises SchemaError for what is no half hour."""
        known = window.values.get("known", 0.0)
        if window.kind != KIND or window.seconds != SECONDS or window.start_ms % HALF_MS or not 0 <= known < 1 << MINUTES:
            raise SchemaError(f"{window.kind} of {window.seconds} s is no half hour of an objective")
        half = cls(known=int(known))
        for at in range(MINUTES):
            half.total[at], half.bad[at] = window.values.get(f"t{at}", 0.0), window.values.get(f"b{at}", 0.0)
        if not all(map(is_count, (*half.total, *half.bad))):
            raise SchemaError(f"a minute of {window.name} says what is no count")
        return half


@dataclass(slots=True)
class Minutes:
    """One process. ``counted``: what its counters said last, by objective; ``halves``: by objective and start."""

    at_ms: int = 0
    started_ms: int = 0
    counted: dict[str, tuple[float, float]] = field(default_factory=dict)
    halves: dict[str, dict[int, Half]] = field(default_factory=dict)

    def take(self, report: MetricReport, objectives: Sequence[Objective]) -> list[tuple[str, int]]:
        """Takes a report in; (objective, start) of each half hour that it changed."""
        if report.at_ms <= self.at_ms:
            return []
        old = self.at_ms == 0 and report.at_ms - report.started_ms > YOUNG_MS
        if report.started_ms != self.started_ms:
            self.counted = {}  # a counter has no sample until it first counts, so not each one is in the first report
        start, minute = report.at_ms // HALF_MS * HALF_MS, report.at_ms % HALF_MS // MINUTE_MS
        changed = []
        for objective in objectives:
            counted = objective.counted(report)
            if counted is None:
                continue
            # A counter that was not there before, in a process that was, had counted nothing.
            before = counted if old else self.counted.get(objective.name, NOTHING)
            if counted[0] < before[0]:
                before = NOTHING
            half = self.halves.setdefault(objective.name, {}).setdefault(start, Half())
            total = counted[0] - before[0]
            half.add(minute, total, min(total, max(0.0, counted[1] - before[1])))
            self.counted[objective.name] = counted
            changed.append((objective.name, start))
        self.at_ms, self.started_ms = report.at_ms, report.started_ms
        return changed

    def kept(self) -> list[tuple[str, int]]:
        """(objective, start) of each half hour."""
        return [(name, start) for name, halves in self.halves.items() for start in halves]

    def forget(self) -> None:
        """Lets go of half hours that no report can change any more."""
        oldest = self.at_ms // HALF_MS * HALF_MS - HALF_MS
        for halves in self.halves.values():
            for start in [start for start in halves if start < oldest]:
                del halves[start]

    def to_bytes(self) -> bytes:
        state = asdict(self)
        state["halves"] = [[name, start, half] for name, halves in state["halves"].items() for start, half in halves.items()]
        return json.dumps(state, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, value: bytes) -> Self:
        """Raises SchemaError."""
        try:
            state: Any = json.loads(value, parse_constant=_no_number)
            found = cls(state["at_ms"], state["started_ms"], {name: tuple(pair) for name, pair in state["counted"].items()})
            for name, start, half in state["halves"]:
                found.halves.setdefault(name, {})[start] = Half(**half)
        except (LookupError, TypeError, ValueError) as error:
            raise SchemaError(f"no minutes: {error}") from None
        return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")
