"""Breaker states as the registry has them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from streams.ops.health.providers.breakers import CLOSED, HALF_OPEN, OPEN, STATE, Breakers


async def test_without_breakers_all_is_well() -> None:
    found = await Breakers(CollectorRegistry()).probe()
    assert (found.status, found.detail) == ("healthy", "0 closed")


async def test_an_open_breaker_is_named_until_it_closes() -> None:
    registry = CollectorRegistry()
    gauge = Gauge(STATE, "States.", ["name"], registry=registry)
    gauge.labels("cassandra").set(OPEN)
    gauge.labels("milvus").set(CLOSED)
    gauge.labels("node").set(HALF_OPEN)
    found = await Breakers(registry).probe()
    assert (found.status, found.detail, found.score) == ("degraded", "open: cassandra; half open: node", 0.5)
    gauge.labels("cassandra").set(CLOSED)
    gauge.labels("node").set(CLOSED)
    assert (await Breakers(registry).probe()).status == "healthy"
