"""How many records to take at once: many while that is quick, for what a transaction costs; few where the work is slow.

A stop, a rebalance and a record's own latency wait for the poll in hand, so its work should take about a second at most.
Invariant: 1 <= ``records`` <= ``most``; equal histories give equal answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST = 4_000
LEAST = 50


@dataclass(slots=True)
class Pace:
    """``most``: bound on records of a poll, for memory. ``seconds``: what working on one should take at most."""

    most: int
    seconds: float = 1.0
    records: int = field(init=False)

    def __post_init__(self) -> None:
        self.records = min(FIRST, self.most)

    def took(self, records: int, seconds: float) -> None:
        """Notes that a poll gave ``records``, and that working on them took ``seconds``."""
        if seconds > self.seconds:
            self.records = max(min(LEAST, self.most), self.records // 2)
        elif records >= self.records and seconds < self.seconds / 2:
            self.records = min(self.most, 2 * self.records)
