"""The policies alive in this process, by name. ``name``: what is asked and where, ``cassandra 10.0.0.7:9042``.

Invariants: one name is one policy, as long as anybody holds it; the gauge shows exactly those alive, at the time of the scrape.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from typing import Any
from weakref import WeakValueDictionary

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.policy.breaker import View
from streams.policy.policy import Policy
from streams.policy.terms import USUAL, Terms

_POLICIES: WeakValueDictionary[str, Policy] = WeakValueDictionary()
_LOCK = threading.Lock()


def policy_for(name: str, terms: Terms = USUAL, **parts: Any) -> Policy:
    """The policy of that name; made by ``terms`` if nobody has one."""
    with _LOCK:
        found = _POLICIES.get(name)
        if found is None:
            found = _POLICIES[name] = Policy(name, terms, **parts)
        return found


def policies() -> list[Policy]:
    """All, by name."""
    with _LOCK:
        return sorted(_POLICIES.values(), key=lambda policy: policy.name)


def views() -> list[View]:
    """How their breakers stand, by name."""
    return [policy.breaker.view() for policy in policies()]


def open_on(prefix: str, seconds: float, why: str) -> list[str]:
    """Opens all whose name is ``prefix`` or begins with it and a space, for so long; their names. For what is known to be down
    before it is asked: whoever knows says so again before the time is over.
    """
    chosen = [one for one in policies() if one.name == prefix or one.name.startswith(f"{prefix} ")]
    for one in chosen:
        one.breaker.force_open(seconds, why)
    return [one.name for one in chosen]


def force_open(name: str, seconds: float = math.inf) -> bool:
    """Opens one, for so long or until it is closed by hand; whether there is such a one."""
    return _with(name, lambda policy: policy.breaker.force_open(seconds))


def force_close(name: str) -> bool:
    """Closes one; whether there is such a one."""
    return _with(name, lambda policy: policy.breaker.force_close())


def reset(name: str) -> bool:
    """Forgets what one has counted; whether there is such a one."""
    return _with(name, lambda policy: policy.breaker.clear())


def _with(name: str, act: Any) -> bool:
    with _LOCK:
        found = _POLICIES.get(name)
    if found is not None:
        act(found)
    return found is not None


class _States(Collector):
    """Read at the scrape, since a circuit becomes half-open by time alone."""

    def collect(self) -> Iterable[Metric]:
        gauge = GaugeMetricFamily(
            "monmouth_circuit_breaker_state", "Of a place that is asked: 0 closed, 1 open, 2 half-open.", labels=["name"]
        )
        for view in views():
            gauge.add_metric([view.name], view.state.value)
        yield gauge


REGISTRY.register(_States())
