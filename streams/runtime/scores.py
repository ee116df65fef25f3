"""The performance score of each on-chain agent, as a worker measures it: aNPS, once a minute.

    100 * (0.3 / (1 + latency_ms / 100) + 0.3 * tps / 1000 + 0.3 * accuracy + 0.1 / (1 + cost))

Of the transactions that an agent sent and a stream agent committed within the minute: latency is the mean time from the block's
timestamp to the commit, tps their number by the second, accuracy the share that succeeded, cost the mean fee in thousandths of
the chain's coin. Invariant: nothing is made up. An agent of which something was not measured (no status, in old blocks) or for
which there is no room has no score, and is counted as left out; old blocks that are caught up with are no delay of anybody's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import REGISTRY, Counter, Histogram, Metric

from streams.core.record import Record

WINDOW = 60.0
MOST_AGENTS = 10_000
"""Agents of one minute."""
THOUSANDTH = 10**15
"""Of the chain's coin, in its smallest unit."""
SENDER = "SENDER"


def anps(latency_ms: float, tps: float, accuracy: float, cost: float) -> float:
    """The score. Above 100 for who sends very much."""
    return 100 * (0.3 / (1 + latency_ms / 100) + 0.3 * tps / 1000 + 0.3 * accuracy + 0.1 / (1 + cost))


@dataclass(slots=True)
class _Done:
    """What one agent did. ``known``: of how many it is known whether they succeeded."""

    count: int = 0
    known: int = 0
    succeeded: int = 0
    seconds: float = 0.0
    fees: int = 0


class Scores:
    """Of what one stream agent commits. Added to by the event loop, closed by whoever looks at the metrics too."""

    def __init__(self, stream_agent: str, now: float) -> None:
        self._name = stream_agent
        self._began = now
        self._agents: dict[bytes, _Done] = {}
        self._crowd: set[bytes] = set()
        self._lock = threading.Lock()

    def add(self, records: Iterable[Record], age: float, now: float) -> None:
        """Transactions of a block that was committed ``age`` seconds after its time."""
        with self._lock:
            self._close(now)
            for record in records:
                self._one(record, age)

    def close(self, now: float) -> None:
        """Scores the minute, if it is over."""
        with self._lock:
            self._close(now)

    def _one(self, record: Record, age: float) -> None:
        transaction = record.value
        if transaction["role"] != SENDER:
            return
        agent = transaction["agent"]
        done = self._agents.get(agent)
        if done is None:
            if len(self._agents) >= MOST_AGENTS:
                if agent not in self._crowd and len(self._crowd) < MOST_AGENTS:
                    self._crowd.add(agent)
                return
            done = self._agents[agent] = _Done()
        status = transaction["status"]
        done.count += 1
        done.known += status is not None
        done.succeeded += status == 1
        done.seconds += age
        done.fees += transaction["gas_used"] * int.from_bytes(transaction["gas_price"], "big")

    def _close(self, now: float) -> None:
        if now - self._began < WINDOW:
            return
        for done in self._agents.values():
            if done.known < done.count:
                LEFT_OUT.labels(self._name, "status").inc()
                continue
            latency, cost = 1000 * done.seconds / done.count, done.fees / done.count / THOUSANDTH
            SCORES.labels(self._name).observe(anps(latency, done.count / WINDOW, done.succeeded / done.count, cost))
        if self._crowd:
            LEFT_OUT.labels(self._name, "crowd").inc(len(self._crowd))
        self._agents, self._crowd = {}, set()
        self._began = now


_scores: dict[str, Scores] = {}


def scored(stream_agent: str, records: Iterable[Record], age: float) -> None:
    """Takes in what a commit made visible."""
    now = time.monotonic()
    scores = _scores.get(stream_agent)
    if scores is None:
        scores = _scores[stream_agent] = Scores(stream_agent, now)
    scores.add(records, age, now)


class _Minutes:
    """Closes minutes that are over whenever somebody looks, so that scores do not wait for the next block."""

    def collect(self) -> Iterable[Metric]:
        now = time.monotonic()
        for scores in list(_scores.values()):
            scores.close(now)
        return ()

    def describe(self) -> Iterable[Metric]:
        return ()


REGISTRY.register(_Minutes())  # before the histogram, so that it shows what was just closed
SCORES = Histogram(
    "monmouth_anps_scores",
    "aNPS of each on-chain agent, once a minute, of the transactions it sent that a stream agent committed within it.",
    ["agent"],
    buckets=(10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 200, 500),
)
LEFT_OUT = Counter(
    "monmouth_anps_left_out_total",
    "Agents of a minute without a score: status, it is not known whether all succeeded; crowd, too many agents.",
    ["agent", "reason"],
)
