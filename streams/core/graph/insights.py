"""What an agent's newest transactions say: trend, rhythm, risk, trust. Pure; in units of 1e-12."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from streams.core.graph.tally import SCALE

SPAN = 10
LOOKED_AT = 200
"""Newest transactions that count."""
MANY_SWITCHES = 100
MUCH_GAS = 100_000
TENTH = SCALE // 10

Rhythm = Literal["burst", "frequent", "regular", "sporadic"]


class Act(NamedTuple):
    """One transaction. ``target``: to whom it was sent."""

    time: int
    target: bytes
    gas: int
    succeeded: bool


class Insights(NamedTuple):
    """``trend``: success of the last ten less that of the ten before (0 where there are not as many); ``rhythm``: by the mean
    gap, burst under a minute, frequent under five, regular under an hour, sporadic beyond; ``success``: of all looked at.

    ``risk``: 0.3 where success is below a half, 0.2 where a transaction uses more than 100,000 gas on average, 0.2 where the
    target changed more than 100 times, 0.3 where reputation is below 0.3. ``trust``: reputation, 0.9 r + 0.1 where success is
    above 0.8.
    """

    looked_at: int
    trend: int
    rhythm: Rhythm
    success: int
    risk: int
    trust: int


def insights(acts: Sequence[Act], reputation: int) -> Insights:
    """``acts``: oldest first; the newest LOOKED_AT count."""
    acts = acts[-LOOKED_AT:]
    success = _success(acts)
    switches = sum(before.target != act.target for before, act in pairwise(acts))
    gas = sum(act.gas for act in acts) // len(acts) if acts else 0
    risk = (3 * (bool(acts) and success < SCALE // 2) + 2 * (gas > MUCH_GAS) + 2 * (switches > MANY_SWITCHES)) * TENTH
    risk += 3 * TENTH * (reputation < 3 * TENTH)
    trust = reputation * 9 // 10 + TENTH if success > 8 * TENTH else reputation
    trend = _success(acts[-SPAN:]) - _success(acts[-2 * SPAN : -SPAN]) if len(acts) >= 2 * SPAN else 0
    return Insights(len(acts), trend, _rhythm(acts), success, risk, trust)


def _success(acts: Sequence[Act]) -> int:
    return sum(act.succeeded for act in acts) * SCALE // len(acts) if acts else 0


def _rhythm(acts: Sequence[Act]) -> Rhythm:
    if len(acts) < 2:
        return "sporadic"
    gap = (acts[-1].time - acts[0].time) / (len(acts) - 1)
    limits: tuple[tuple[int, Rhythm], ...] = ((60, "burst"), (300, "frequent"), (3_600, "regular"))
    return next((name for limit, name in limits if gap < limit), "sporadic")
