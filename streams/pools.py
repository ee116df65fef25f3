"""Pools of connections of this process: how much of each is in use, and the one way to make a pool of HTTP connections.

Invariants: every pool has a limit, beyond which callers wait; what is idle for IDLE_SECONDS is closed; a connection that the
far side closed is not used again; the gauge shows the pools that are open at the time of the scrape, and what they say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import aiohttp
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.metrics import REGISTRY

HTTP_LIMIT = 32
IDLE_SECONDS = 60.0
Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True)
class Pool:
    """``used``: of its owner; None once it is closed."""

    name: str
    limit: int
    used: Callable[[Any], int | None]


_POOLS: WeakKeyDictionary[object, Pool] = WeakKeyDictionary()
_LOCK = threading.Lock()


def measure_pool(owner: Owner, name: str, limit: int, used: Callable[[Owner], int | None]) -> None:
    """``owner`` is, or has, a pool of this name, for as long as it lives."""
    with _LOCK:
        _POOLS[owner] = Pool(name, limit, used)


def utilization() -> dict[str, float]:
    """Share in use, 0 to 1, by name; pools of one name are one."""
    with _LOCK:
        pools = list(_POOLS.items())
    totals: dict[str, tuple[int, int]] = {}
    for owner, pool in pools:
        used = pool.used(owner)
        if used is not None:
            before = totals.get(pool.name, (0, 0))
            totals[pool.name] = before[0] + used, before[1] + pool.limit
    return {name: used / limit for name, (used, limit) in sorted(totals.items())}


def http_session(
    name: str, *, limit: int = HTTP_LIMIT, idle_seconds: float = IDLE_SECONDS, **options: Any
) -> aiohttp.ClientSession:
    """A session on a pool of its own; ``options`` as aiohttp knows them."""
    connector = aiohttp.TCPConnector(limit=limit, keepalive_timeout=idle_seconds)
    measure_pool(connector, name, limit, _in_use)
    return aiohttp.ClientSession(connector=connector, **options)


def _in_use(connector: aiohttp.TCPConnector) -> int | None:
    return None if connector.closed else len(connector._acquired)


class _Utilization(Collector):
    def collect(self) -> Iterable[Metric]:
        gauge = GaugeMetricFamily(
            "monmouth_connection_pool_utilization", "Share of a pool of connections that is in use, 0 to 1.", labels=["pool"]
        )
        for name, share in utilization().items():
            gauge.add_metric([name], share)
        yield gauge


REGISTRY.register(_Utilization())
