"""A replay: old work of one stream agent's partition, taken back and done again on request.

A request and the status of its partition lie under keys of their own in the topic ``replays``; the owner of the partition
writes the status in the transactions that move its position back, and in the one that reaches the goal. Invariants: what is
``due`` follows from the newest request and status alone, so whoever owns the partition next goes on; a request is carried out
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """How far a replay has come."""

    REQUESTED = "REQUESTED"
    UNDOING = "UNDOING"
    REDOING = "REDOING"
    DONE = "DONE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Replay:
    """One record. ``block``: height of the first block to be done again; ``until``: of the last one that somebody waits for.

    ``start`` and ``goal``: offsets of the marked input, where the oldest block taken back begins and where all is done again.
    """

    stream_agent: str
    partition: int
    id: str
    phase: Phase
    block: int
    until: int | None = None
    start: int | None = None
    goal: int | None = None
    undone: int = 0
    total: int | None = None
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.phase in (Phase.DONE, Phase.REFUSED)

    @property
    def key(self) -> bytes:
        """Record key."""
        return key_of(self.stream_agent, self.partition, request=self.phase is Phase.REQUESTED)

    def done(self) -> Replay:
        """The same, done."""
        return replace(self, phase=Phase.DONE)

    def refused(self, reason: str) -> Replay:
        """The same, refused."""
        return replace(self, phase=Phase.REFUSED, reason=reason)

    def record(self) -> dict[str, Any]:
        """The Avro form."""
        return {
            "stream_agent": self.stream_agent,
            "partition": self.partition,
            "id": self.id,
            "phase": self.phase.value,
            "block": self.block,
            "until": self.until,
            "start_offset": self.start,
            "goal_offset": self.goal,
            "undone": self.undone,
            "total": self.total,
            "reason": self.reason,
        }

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Replay:
        """The inverse of ``record``."""
        return cls(
            record["stream_agent"],
            record["partition"],
            record["id"],
            Phase(record["phase"]),
            record["block"],
            record["until"],
            record["start_offset"],
            record["goal_offset"],
            record["undone"],
            record["total"],
            record["reason"],
        )


def key_of(stream_agent: str, partition: int, *, request: bool) -> bytes:
    """Key of a request or a status."""
    return f"{stream_agent}/{partition}/{'request' if request else 'status'}".encode()


def due(request: Replay | None, status: Replay | None) -> Replay | None:
    """What remains to be done: the newest request if nobody has begun it, else the status unless that is over."""
    if request is not None and (status is None or status.id != request.id):
        return request if status is None or status.over or status.goal is None else replace(request, goal=status.goal)
    return None if status is None or status.over else status
