"""How fresh and how fast what a worker commits is, in the terms of the chain.

Assumes the wall clock of this machine and block timestamps agree to about a second, as nodes demand of blocks. Invariant: only
blocks that were new when they were committed count as latency; work done late on purpose (backfill, replay) would drown it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence

from prometheus_client import Gauge, Histogram

from streams import wall
from streams.core.record import Record
from streams.core.segment import Block, Unit
from streams.runtime.scores import scored

LIVE_SECONDS = 600
"""A block older than this when it was committed is history, not delay."""
TRANSACTION = "ChainTransaction"

LATENCY = Histogram(
    "monmouth_transaction_latency_ms_histogram",
    "From a block's timestamp to the commit of what a stream agent made of its transactions, by block and partition; "
    "blocks older than ten minutes are left out.",
    ["agent"],
    buckets=(50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000),
)
THROUGHPUT = Gauge("monmouth_throughput_tps", "Transactions committed within the last second.", ["agent"])


class Rate:
    """Counts of the last second."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, count: int, now: float) -> None:
        """Takes a count in."""
        self._counts.append((now, count))
        self._total += count
        self._drop(now)

    def value(self, now: float) -> float:
        """What the second before ``now`` held."""
        self._drop(now)
        return float(self._total)

    def _drop(self, now: float) -> None:
        while self._counts and self._counts[0][0] <= now - 1:
            self._total -= self._counts.popleft()[1]


_rates: dict[str, Rate] = {}


def committed(stream_agent: str, units: Iterable[Unit]) -> None:
    """Counts the transactions of the blocks that a commit made visible."""
    rate = _rates.get(stream_agent)
    if rate is None:
        rate = _rates[stream_agent] = Rate()
        THROUGHPUT.labels(stream_agent).set_function(lambda: rate.value(time.monotonic()))
    at, total = wall.time_of_day(), 0
    for unit in units:
        if isinstance(unit, Block) and (count := _transactions(unit.records)):
            total += count
            age = at - unit.marker.timestamp
            if age <= LIVE_SECONDS:
                LATENCY.labels(stream_agent).observe(max(age, 0.0) * 1000)
                scored(stream_agent, (record for record in unit.records if record.type == TRANSACTION), max(age, 0.0))
    if total:
        rate.add(total, time.monotonic())


def _transactions(records: Sequence[Record]) -> int:
    return sum(record.type == TRANSACTION for record in records)
