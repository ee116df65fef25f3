"""Whether a consumer group keeps up, without a threshold: the rules of Burrow over the newest commits of each partition. Pure.

In this order, where anything waits at all:
  * STOPPED: since the newest commit more time has passed than between it and the oldest; but not if the group was at the end
    of the log a moment ago, as ``ends`` says, since what waits then is just new;
  * REWIND: a commit went back, and the group has not come again to where it had been;
  * OK: nothing waited at one of the commits;
  * STALLED: all commits are at one offset;
  * WARNING: it moves, but what waits never became less.
What goes back here by design is no REWIND: a replay or a return to a checkpoint moves the position with the checkpoint that
names it, in one transaction, and such commits are marked ``ours``. The rules then begin anew at the newest of them. While the
runtime rewinds for a reorganisation it commits nothing: a stall is not held against it meanwhile (``rewinding``), since the
worker itself says if that takes too long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from streams.ops.health.finding import Status


class Lag(StrEnum):
    """What is said of a partition, from the best to the worst."""

    OK = "ok"
    WARNING = "warning"
    STALLED = "stalled"
    STOPPED = "stopped"
    REWIND = "rewind"


STATUS: dict[Lag, Status] = {
    Lag.OK: "healthy",
    Lag.WARNING: "degraded",
    Lag.STALLED: "failed",
    Lag.STOPPED: "failed",
    Lag.REWIND: "failed",
}


@dataclass(frozen=True, slots=True)
class Commit:
    """A group stood at ``offset`` at ``at`` seconds, and ``lag`` records waited. ``ours``: the pipeline itself set it back."""

    at: float
    offset: int
    lag: int
    ours: bool = False


def judge(commits: Sequence[Commit], waiting: int, now: float, ends: Iterable[int] = (), *, rewinding: bool = False) -> Lag:
    """``commits``: oldest first; ``waiting``: records now; ``ends``: where the log ended at the newest looks."""
    if not commits or waiting <= 0:
        return Lag.OK
    newest = commits[-1]
    if _stopped(commits, now) and not any(newest.offset >= end for end in ends):
        return Lag.OK if rewinding else Lag.STOPPED
    if _rewound(commits):
        return Lag.REWIND
    commits = _since_ours(commits)
    if any(commit.lag == 0 for commit in commits) or len(commits) < 2:
        return Lag.OK
    if all(commit.offset == newest.offset for commit in commits):
        return Lag.OK if rewinding else Lag.STALLED
    if all(later.lag >= earlier.lag for earlier, later in pairwise(commits)):
        return Lag.WARNING
    return Lag.OK


def worst_lag(verdicts: Iterable[Lag]) -> Lag:
    """Of a group, from its partitions."""
    order = list(Lag)
    return max(verdicts, key=order.index, default=Lag.OK)


def _stopped(commits: Sequence[Commit], now: float) -> bool:
    """One commit says nothing of how often there should be another."""
    return len(commits) > 1 and now - commits[-1].at > commits[-1].at - commits[0].at


def _rewound(commits: Sequence[Commit]) -> bool:
    newest = commits[-1]
    return any(
        later.offset < earlier.offset and not later.ours and newest.offset < earlier.offset
        for earlier, later in pairwise(commits)
    )


def _since_ours(commits: Sequence[Commit]) -> Sequence[Commit]:
    backs = [at for at, (earlier, later) in enumerate(pairwise(commits), 1) if later.ours and later.offset < earlier.offset]
    return commits[backs[-1] :] if backs else commits
