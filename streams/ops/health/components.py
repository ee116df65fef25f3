"""From what processes say of themselves, and what is found of consumer groups, to the state of each component. Pure.

A component is a thing that processes look at (a store, a disk), or a program: a process of its own kind, or a stream agent that
workers run. Several processes may speak of one; the worst counts. Invariants: what a process said longer than ``ttl`` ago
counts for nothing; a program of which nobody alive speaks has failed, however well it was, unless all who ran it said that they
end; a thing of which nobody speaks is not known.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from streams.ops.health.finding import Finding, together
from streams.ops.reports import HealthPart, HealthReport

WORKER = "worker"
SELVES = ("liveness", "readiness")
"""Parts that speak of the whole process."""


@dataclass(frozen=True, slots=True)
class Seen:
    """``age``: seconds since the process last said anything. ``ended``: it said that it ends, so that nobody need miss it."""

    report: HealthReport
    age: float
    ended: bool = False


def spoken(seen: Iterable[Seen], things: Collection[str]) -> dict[str, float]:
    """Programs that processes which did not end spoke of, and how long ago."""
    ages: dict[str, float] = {}
    for process in seen:
        for name, _ in _said(process.report) if not process.ended else ():
            if name not in things:
                ages[name] = min(process.age, ages.get(name, math.inf))
    return ages


def components(
    own: Mapping[str, Finding],
    seen: Iterable[Seen],
    groups: Mapping[str, Finding],
    *,
    ttl: float,
    ages: Mapping[str, float],
) -> dict[str, Finding]:
    """``own``: what the reader found itself; ``groups``: of consumer groups; ``ages``: of programs that must be there, how long
    ago somebody spoke of them.
    """
    looks: dict[str, list[Finding]] = defaultdict(list)
    for process in seen:
        if process.age <= ttl and not process.ended:
            for name, found in _said(process.report):
                looks[name].append(found)
    for name, found in own.items():
        looks[name].append(found)
    for name, age in ages.items():
        if name not in looks:
            looks[name].append(Finding("failed", _missing(age)))
    for name, found in groups.items():
        looks[name].append(found)
    return {name: _whole(found) for name, found in looks.items()}


def _said(report: HealthReport) -> Iterator[tuple[str, Finding]]:
    """What a report says of components. A worker is none itself: what ails it ails the stream agents that it runs."""
    who = f"{report.component} {report.instance}"
    for part in report.parts:
        if part.name not in SELVES:
            yield part.name, _finding(part, who)
    if report.component != WORKER:
        selves = [part for part in report.parts if part.name in SELVES]
        yield report.component, together(_finding(part, who) for part in selves) if selves else Finding(report.status)


def _finding(part: HealthPart, who: str) -> Finding:
    detail = f"{who}: {part.detail}" if part.detail else ""
    return Finding(part.status, detail, part.score, part.seconds)


def _whole(found: list[Finding]) -> Finding:
    """All that is said, of several only what is wrong."""
    return found[0] if len(found) == 1 else together(found)


def _missing(age: float) -> str:
    return "nobody reports it" if math.isinf(age) else f"nobody reports it; the last one fell silent {age:.0f} s ago"
