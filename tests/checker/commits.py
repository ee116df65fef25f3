"""Classes about positions of groups: commit holes and commits that move back."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from tests.checker.anomaly import Anomaly
from tests.checker.events import Applied, Commit, Redo
from tests.checker.history import History, Place


def commit_holes(history: History) -> Iterator[Anomaly]:
    """A group's position passed a record whose effects never became visible: nobody will ever process it.

    Judged for groups that have ``applied`` events, in partitions that were read whole.
    """
    applied: dict[tuple[str, Place], set[int]] = defaultdict(set)
    for event in history.of(Applied):
        applied[event.group, Place(event.topic, event.partition)].update(event.offsets)
    groups = {group for group, _ in applied}
    reached: dict[tuple[str, Place], int] = {}
    for commit in history.of(Commit):
        lane = commit.group, Place(commit.topic, commit.partition)
        if commit.group in groups:
            reached[lane] = max(commit.position, reached.get(lane, 0))
    for (group, place), position in reached.items():
        offsets = [item.offset for item in history.logs.get(place, ())]
        holes = [offset for offset in offsets[: bisect_left(offsets, position)] if offset not in applied[group, place]]
        if holes:
            what = f"{group} stands at {position}, but {len(holes)} records before that were never applied, first {holes[0]}"
            yield Anomaly("commit hole", str(place), what)


def commits_back(history: History) -> Iterator[Anomaly]:
    """A group's committed position fell without a replay: what lies between is done again, with its effects visible already.

    A replay takes those effects back in the transaction that moves the position.
    """
    at: dict[tuple[str, Place], int] = {}
    asked = set[str]()
    for commit in history.events:
        if isinstance(commit, Redo):
            asked.add(commit.group)
        if not isinstance(commit, Commit) or commit.group in asked:
            continue
        lane = commit.group, Place(commit.topic, commit.partition)
        if commit.position < at.get(lane, 0):
            yield Anomaly("commit back", str(lane[1]), f"{commit.group} went from {at[lane]} back to {commit.position}")
        at[lane] = commit.position
