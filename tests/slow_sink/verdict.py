"""What the memory of a worker did over time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ROWS = 20
WARM = 1 / 3
"""Share of the time after which memory counts: until then buffers fill."""
SETTLING = 60.0
"""Seconds after a worker came or went: a batch that was taken as one of fewer partitions is as large as was right for these."""


@dataclass(frozen=True, slots=True)
class Sample:
    """``seconds`` since the beginning; ``rss``: MiB; ``in_hand``: records taken, not committed; ``waits``: left in the log."""

    seconds: float
    rss: float
    in_hand: int
    waits: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """``slope``: MiB per hour, by least squares over what is not warm-up. ``growth``: MiB that makes of the time measured.

    ``most_in_hand``: with a share of the partitions that stays; ``most_at_changes``: while that settles.
    """

    slope: float
    growth: float
    allowed: float
    most_in_hand: int
    most_at_changes: int = 0

    def flat(self, in_hand: int) -> bool:
        """Whether memory did not grow beyond noise, and never more than ``in_hand`` records were in hand, or twice as many for
        a moment when partitions came.
        """
        return self.growth <= self.allowed and self.most_in_hand <= in_hand and self.most_at_changes < 2 * in_hand


def judge(samples: Sequence[Sample], changes: Sequence[float] = ()) -> Verdict:
    """Growth is allowed up to a tenth of what is resident, or 16 MiB: what an allocator does once, at a rebalance for one.

    ``changes``: seconds at which a worker came or went.
    """
    end = samples[-1].seconds
    counted = [sample for sample in samples if sample.seconds >= WARM * end]
    middle = sum(sample.seconds for sample in counted) / len(counted)
    mean = sum(sample.rss for sample in counted) / len(counted)
    spread = sum((sample.seconds - middle) ** 2 for sample in counted)
    slope = sum((sample.seconds - middle) * (sample.rss - mean) for sample in counted) / spread if spread else 0.0
    growth = slope * (counted[-1].seconds - counted[0].seconds)
    settling = [any(0 <= sample.seconds - change < SETTLING for change in changes) for sample in samples]
    most, at_changes = (
        max((sample.in_hand for sample, unsettled in zip(samples, settling, strict=True) if unsettled is wanted), default=0)
        for wanted in (False, True)
    )
    return Verdict(3600 * slope, growth, max(16.0, mean / 10), most, at_changes)


def rows(samples: Sequence[Sample], most: int = ROWS) -> list[str]:
    """A table of at most so many rows, evenly over time, the last one included."""
    step = max(1, -(-len(samples) // most))
    chosen = [*samples[::step], *([samples[-1]] if (len(samples) - 1) % step else [])]
    head = f"{'minutes':>8} {'RSS MiB':>9} {'in hand':>9} {'in the log':>11}"
    return [head, *(f"{s.seconds / 60:>8.2f} {s.rss:>9.1f} {s.in_hand:>9,} {s.waits:>11,}" for s in chosen)]
