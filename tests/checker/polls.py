"""Jepsen's classes about one reader: poll skips and non-monotonic polls. An assignment or seek begins anew."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from tests.checker.anomaly import Anomaly
from tests.checker.events import Assign, Poll
from tests.checker.history import History, Place

Step = tuple[str, Place, int, int]
"""Reader, partition, offset due at the earliest, offset read."""


def _steps(history: History) -> Iterator[Step]:
    due: dict[tuple[str, Place], int] = {}
    for event in history.events:
        if not isinstance(event, Assign | Poll):
            continue
        place = Place(event.topic, event.partition)
        if isinstance(event, Assign):
            due[event.process, place] = event.position
            continue
        for offset, _ in event.records:
            if (event.process, place) in due:
                yield event.process, place, due[event.process, place], offset
            due[event.process, place] = offset + 1


def poll_skips(history: History) -> Iterator[Anomaly]:
    """A reader went past an offset that holds a record, as the whole log or any reader shows. Gaps of transactions are none."""
    known: dict[Place, set[int]] = defaultdict(set)
    for place, items in history.logs.items():
        known[place].update(item.offset for item in items)
    for poll in history.of(Poll):
        known[Place(poll.topic, poll.partition)].update(offset for offset, _ in poll.records)
    ordered = {place: sorted(offsets) for place, offsets in known.items()}
    for reader, place, due, offset in _steps(history):
        offsets = ordered[place]
        missed = offsets[bisect_left(offsets, due) : bisect_left(offsets, offset)]
        if missed:
            yield Anomaly("poll skip", str(place), f"{reader} went from {due} to {offset} past {len(missed)} records")


def nonmonotonic_polls(history: History) -> Iterator[Anomaly]:
    """A reader got an offset it had already passed, with no assignment or seek between."""
    for reader, place, due, offset in _steps(history):
        if offset < due:
            yield Anomaly("non-monotonic poll", str(place), f"{reader} read {offset} where {due} was due at the earliest")
