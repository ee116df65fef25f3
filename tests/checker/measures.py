"""Figures of a history: amplification and recovery times. They are measured, not judged."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import ceil

from tests.checker.events import Commit, Distinct, Entry, Kill, Marker, Poll, Work
from tests.checker.history import History, Place


@dataclass(frozen=True, slots=True)
class Recovery:
    """``seconds`` from a fault to progress in every lane; None if some lane that had more to read never went on."""

    fault: str
    process: str
    at: float
    seconds: float | None


def amplification(history: History) -> dict[str, float]:
    """By group, records processed (repeats and replays included) per distinct record of its inputs."""
    distinct = {event.group: event.records for event in history.of(Distinct) if event.records}
    work: dict[str, int] = defaultdict(int)
    for event in history.of(Work):
        work[event.group] += event.records
    return {group: work[group] / count for group, count in distinct.items() if group in work}


def recoveries(history: History) -> list[Recovery]:
    """For each kill, the time until every lane (group and partition) had committed past what the log held at the kill.

    A commit that was on its way when the fault struck does not count: only work done after it moves a position beyond the log
    that the readers had seen by then. Lanes with nothing more to read do not count.
    """
    return [_recovery(history, kill) for kill in history.of(Kill)]


def _recovery(history: History, kill: Kill) -> Recovery:
    seen = _seen(history, kill.at)
    ends = _ends(history)
    lanes: dict[tuple[str, Place], float | None] = {}
    for commit in history.of(Commit):
        place = Place(commit.topic, commit.partition)
        lane = commit.group, place
        if ends.get(place, 0) <= seen.get(place, 0):
            continue
        lanes.setdefault(lane, None)
        if commit.at > kill.at and commit.position > seen.get(place, 0) and lanes[lane] is None:
            lanes[lane] = commit.at - kill.at
    times = list(lanes.values())
    known = [time for time in times if time is not None]
    return Recovery(kill.fault, kill.process, kill.at, max(known) if known and len(known) == len(times) else None)


def _seen(history: History, at: float) -> dict[Place, int]:
    """Position behind the newest record any reader had seen at a time."""
    found: dict[Place, int] = {}
    for poll in history.of(Poll):
        if poll.at <= at and poll.records:
            place = Place(poll.topic, poll.partition)
            found[place] = max(found.get(place, 0), poll.records[-1][0] + 1)
    return found


def _ends(history: History) -> dict[Place, int]:
    found = _seen(history, float("inf"))
    items: list[Entry | Marker] = [*history.of(Entry), *history.of(Marker)]
    for item in items:
        place = Place(item.topic, item.partition)
        found[place] = max(found.get(place, 0), item.offset + 1)
    return found


def percentile(values: list[float], share: float) -> float | None:
    """Nearest-rank percentile, ``share`` from 0 to 1; None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]
