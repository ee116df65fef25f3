"""The series that have a history: an explicit list, and how each is made from what all processes say. Pure.

Invariant: what no process that lives reports has no value; a quantile of nothing has none either. Nothing that
was not measured is shown as nought.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Fold = Callable[[Iterable[float]], float]
Wanted = Literal["more", "less", "none"]

THROUGHPUT = "monmouth_chain_throughput_tps"
RECORDS = "monmouth_runtime_records_total"
QUERIES = "monmouth_rag_queries_total"
QUERY_LATENCY = "monmouth_rag_query_latency_ms"
BLOCK_LATENCY = "monmouth_transaction_latency_ms_histogram"
REQUEST_LATENCY = "monmouth_http_request_latency_ms"
ERRORS = "monmouth_errors_total"
REWINDS = "monmouth_runtime_rewinds_total"
BEHIND = "monmouth_runtime_seconds_behind"
POSITION = "monmouth_runtime_position"
RECEIVED = "monmouth_runtime_received"
HIT_RATE = "monmouth_cache_hit_rate"
POOLS = "monmouth_connection_pool_utilization"
MEMORY = "monmouth_memory_usage_mb"
CPU = "monmouth_cpu_usage_percent"
DISK = "monmouth_disk_usage_percent"

GAUGES = frozenset(
    {THROUGHPUT, BEHIND, POSITION, RECEIVED, HIT_RATE, POOLS, MEMORY, CPU, DISK},
)
SUMS = frozenset(f"{name}{end}" for name in (REQUEST_LATENCY, BLOCK_LATENCY, QUERY_LATENCY) for end in ("_sum", "_count"))
COUNTERS = frozenset({RECORDS, QUERIES, ERRORS, REWINDS}) | SUMS
HISTOGRAMS = frozenset(f"{name}_bucket" for name in (QUERY_LATENCY, BLOCK_LATENCY, REQUEST_LATENCY))


class Measured(Protocol):
    """What can be asked of the processes that live, at one moment."""

    def gauge(self, name: str, fold: Fold) -> float | None: ...

    def rate(self, name: str) -> float | None:
        """Growth a second over the last ten."""

    def quantile(self, name: str, share: float) -> float | None:
        """Over the last minute."""

    def waiting(self) -> float | None:
        """Records that were received and not processed yet."""

    def score(self) -> float | None:
        """Of the system's health."""


@dataclass(frozen=True, slots=True)
class Series:
    """``better``: which way is good, if either. None is ever below 0; ``most``: nor above that."""

    name: str
    title: str
    unit: str
    better: Wanted
    value: Callable[[Measured], float | None]
    most: float = math.inf


SERIES: Mapping[str, Series] = {
    series.name: series
    for series in (
        Series("throughput_tps", "Throughput of the chain", "tx/s", "more", lambda m: m.gauge(THROUGHPUT, max)),
        Series("records_per_second", "Records processed", "records/s", "more", lambda m: m.rate(RECORDS)),
        Series("block_latency_p95_ms", "Block to committed, p95", "ms", "less", lambda m: m.quantile(BLOCK_LATENCY, 0.95)),
        Series("lag_records", "Records that wait", "records", "less", lambda m: m.waiting()),
        Series("seconds_behind", "Furthest behind", "s", "less", lambda m: m.gauge(BEHIND, max)),
        Series("queries_per_second", "Context queries", "queries/s", "more", lambda m: m.rate(QUERIES)),
        Series("query_latency_p50_ms", "Query latency, p50", "ms", "less", lambda m: m.quantile(QUERY_LATENCY, 0.5)),
        Series("query_latency_p95_ms", "Query latency, p95", "ms", "less", lambda m: m.quantile(QUERY_LATENCY, 0.95)),
        Series("request_latency_p95_ms", "Latency of requests, p95", "ms", "less", lambda m: m.quantile(REQUEST_LATENCY, 0.95)),
        Series("error_rate", "Errors", "errors/s", "less", lambda m: m.rate(ERRORS)),
        Series("cache_hit_rate", "Hit rate of the caches", "ratio", "more", lambda m: m.gauge(HIT_RATE, max), 1.0),
        Series("health_score", "Health score", "ratio", "more", lambda m: m.score(), 1.0),
        Series("memory_mb", "Memory, all processes", "MiB", "less", lambda m: m.gauge(MEMORY, sum)),
        Series("cpu_percent", "Processor, all processes", "%", "less", lambda m: m.gauge(CPU, sum)),
        Series("disk_percent", "Fullest disk", "%", "less", lambda m: m.gauge(DISK, max), 100.0),
    )
}
