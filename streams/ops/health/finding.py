"""What one look at one thing found. Pure.

Invariant: the worst of several states is the state of the whole; a look that could not be finished is a failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["healthy", "degraded", "failed"]
ORDER: tuple[Status, ...] = ("healthy", "degraded", "failed")
POINTS: dict[Status, float] = {"healthy": 1.0, "degraded": 0.5, "failed": 0.0}


@dataclass(frozen=True, slots=True)
class Level:
    """A value that must stay below ``limit``, where a prediction makes sense. ``of``: what is measured, for a person."""

    of: str
    value: float
    limit: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """``score``: 1 healthy, 0 failed. ``detail``: for an operator; empty if there is nothing to say. ``seconds``: it took.
    ``down``: it did not answer at all, so nobody need ask it just now.
    """

    status: Status
    detail: str = ""
    score: float = -1.0
    seconds: float = 0.0
    levels: tuple[Level, ...] = ()
    down: bool = False

    def __post_init__(self) -> None:
        if self.score < 0:
            object.__setattr__(self, "score", POINTS[self.status])


HEALTHY = Finding("healthy")


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of them; healthy if there are none."""
    return max(statuses, key=ORDER.index, default="healthy")


def together(findings: Iterable[Finding]) -> Finding:
    """Several looks at one thing as one: the worst state wins, the score is their mean, all that is wrong is said."""
    found = list(findings)
    if not found:
        return HEALTHY
    return Finding(
        worst(finding.status for finding in found),
        "; ".join(finding.detail for finding in found if finding.status != "healthy" and finding.detail),
        sum(finding.score for finding in found) / len(found),
        max(finding.seconds for finding in found),
        tuple(level for finding in found for level in finding.levels),
    )
