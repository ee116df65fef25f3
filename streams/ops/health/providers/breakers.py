"""Circuit breakers of this process, by what they measure of themselves: an open one means that calls are not even tried."""

from __future__ import annotations

from prometheus_client.registry import CollectorRegistry

from streams.metrics import REGISTRY
from streams.ops.health.finding import Finding

STATE = "monmouth_circuit_breaker_state"
CLOSED, OPEN, HALF_OPEN = 0, 1, 2


class Breakers:
    """Healthy where there are none."""

    name = "breakers"
    interval: float | None = None

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry = registry

    async def probe(self) -> Finding:
        families = [family for family in self._registry.collect() if family.name == STATE]
        states = {sample.labels["name"]: sample.value for family in families for sample in family.samples}
        opened = sorted(name for name, state in states.items() if state == OPEN)
        trying = sorted(name for name, state in states.items() if state == HALF_OPEN)
        if not opened and not trying:
            return Finding("healthy", f"{len(states)} closed")
        said = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in (("open", opened), ("half open", trying)) if names)
        return Finding("degraded", said, 1 - (len(opened) + 0.5 * len(trying)) / len(states))

    async def close(self) -> None:
        pass
