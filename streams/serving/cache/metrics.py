"""What the cache of answers measures. Invariant: labels are of fixed sets, whatever is asked."""

from __future__ import annotations

from typing import Any

from prometheus_client import Counter, Gauge

from streams.metrics import REGISTRY
from streams.serving.cache.levels import Event, TwoLevels
from streams.serving.metrics import CACHE_HIT_RATE

RANKS = 10
EVENTS = Counter("monmouth_cache_events_total", "What happened in the cache of contexts.", ["event"], registry=REGISTRY)
BYTES = Gauge("monmouth_cache_bytes", "Bytes held by the cache of contexts, by level.", ["level"], registry=REGISTRY)
ENTRIES = Gauge("monmouth_cache_entries", "Answers held by the cache of contexts, by level.", ["level"], registry=REGISTRY)
TOP = Gauge(
    "monmouth_cache_top_askings",
    "Askings of the most frequent questions, by rank (1 is the first).",
    ["rank"],
    registry=REGISTRY,
)
UNKEPT = Counter(
    "monmouth_cache_unkept_total",
    "Answers not kept: something moved meanwhile, a store cannot tell its version, or they depend on other agents too.",
    ["reason"],
    registry=REGISTRY,
)
SHARED = Counter(
    "monmouth_cache_waits_total", "Times a question waited for an equal one that was being answered.", registry=REGISTRY
)


def observe(event: Event) -> None:
    """Counts an event."""
    EVENTS.labels(event.value).inc()


def follow(cache: TwoLevels[Any]) -> None:
    """Shows this cache's sizes from now on."""
    CACHE_HIT_RATE.labels("contexts").set_function(lambda: cache.hit_rate)
    BYTES.labels("l1").set_function(lambda: cache.l1_bytes)
    BYTES.labels("l2").set_function(lambda: cache.l2_bytes)
    ENTRIES.labels("l1").set_function(lambda: cache.hot)
    ENTRIES.labels("l2").set_function(lambda: len(cache))


def show_top(cache: TwoLevels[Any]) -> None:
    """Sets the askings by rank; 0 for ranks that nobody holds."""
    counts = [count for _, count in cache.top(RANKS)]
    for rank in range(RANKS):
        TOP.labels(str(rank + 1)).set(counts[rank] if rank < len(counts) else 0)
