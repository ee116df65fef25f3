"""Which of several equal targets is asked next: four strategies, decided by what is known of each.

round_robin: in turn. least_connections: the one with the fewest calls under way. weighted: in proportion to given weights,
spread evenly (the smooth way of nginx). adaptive: the best score, the mean of quickness, success and idleness, each 0 to 1;
each PROBE-th choice goes to the one that was asked longest ago, so that one that was slow is seen to have mended.
Pure: no clock; the caller says how long a call took, and which targets may be asked now.
Invariants: a choice is always one of those that may be asked; what ``begin`` counted ``end`` takes off again; a score is a
mean, not a sum, so it does not grow with the number of calls.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

Strategy = Literal["round_robin", "least_connections", "weighted", "adaptive"]
RECENT = 0.2
"""How much the newest call says of a target."""
QUICK = 0.1
"""Seconds of a call that halve the quickness."""
PROBE = 16


@dataclass(slots=True)
class Standing:
    """What is known of one target. ``credit``: of the weighted strategy; ``asked``: number of the choice that it was last."""

    weight: float = 1.0
    running: int = 0
    seconds: float = 0.0
    success: float = 1.0
    credit: float = 0.0
    asked: int = 0
    calls: int = 0

    @property
    def score(self) -> float:
        """0 (worst) to 1."""
        return (1 / (1 + self.seconds / QUICK) + self.success + 1 / (1 + self.running)) / 3


class Balance:
    """``weights``: of each target; they need not add up to anything."""

    def __init__(self, strategy: Strategy, weights: Sequence[float]) -> None:
        if not weights or min(weights) <= 0:
            raise ValueError(f"weights of targets: {list(weights)}")
        self.strategy = strategy
        self.standings = [Standing(weight) for weight in weights]
        self._choices = 0
        self._last = -1

    def begin(self, able: Collection[int]) -> int:
        """The target to ask, of those that may be asked (not none); its call is under way until ``end``."""
        self._choices += 1
        chosen = self._chosen(sorted(able))
        found = self.standings[chosen]
        found.running += 1
        found.asked = self._choices
        self._last = chosen
        return chosen

    def end(self, target: int, seconds: float, good: bool) -> None:
        """The call that ``begin`` counted is over."""
        found = self.standings[target]
        found.running -= 1
        share = 1.0 if found.calls == 0 else RECENT
        found.calls += 1
        found.success += RECENT * (float(good) - found.success)
        if good:  # a refusal is quick, and says nothing of how quick an answer is
            found.seconds += share * (seconds - found.seconds)

    def _chosen(self, able: list[int]) -> int:
        if self.strategy == "round_robin":
            return next((target for target in able if target > self._last), able[0])
        if self.strategy == "least_connections":
            return min(able, key=lambda target: (self.standings[target].running, self.standings[target].asked))
        if self.strategy == "weighted":
            return self._weighted(able)
        if self._choices % PROBE == 0:
            return min(able, key=lambda target: self.standings[target].asked)
        return max(able, key=lambda target: (self.standings[target].score, -self.standings[target].asked))

    def _weighted(self, able: list[int]) -> int:
        for target in able:
            self.standings[target].credit += self.standings[target].weight
        chosen = max(able, key=lambda target: self.standings[target].credit)
        self.standings[chosen].credit -= sum(self.standings[target].weight for target in able)
        return chosen
