"""``monmouth demo performance``: twelve parts that make the product quick, and keep it up, each at work."""

from __future__ import annotations

from collections.abc import Sequence

from streams.cli.demo.course import Part
from streams.cli.demo.play import Show
from streams.cli.demo.scenes import chain, faults, load, monitoring, outside, retrieval
from streams.cli.demo.system import System

AGENTS = 10
TRANSACTIONS = 8
COMPONENTS = 3
WORKERS = ("worker-1", "worker-2")


def performance(*, fast: bool) -> Show:
    """``fast``: smaller numbers."""
    puts, blocks, burst, single = (20, 20, 20, 4) if fast else (200, 200, 200, 20)

    def parts(system: System) -> Sequence[tuple[str, Part]]:
        agents = system.chain.agents
        return [
            ("optimizer: batches grow with the load", lambda: load.batches(system, single, WORKERS)),
            ("throughput: blocks through the whole pipeline", lambda: chain.blocks(system, blocks)),
            ("cache: kept, hit, never stale", lambda: retrieval.cached(system, agents, puts)),
            ("batch: commands one by one and together", lambda: load.burst(system, agents, burst)),
            ("errors: a record nobody can read", lambda: faults.dead_letter(system, agents[0])),
            ("retry: the node is away for a moment", lambda: outside.retries(system)),
            ("circuit breaker: the node is gone", lambda: outside.breaker(system)),
            ("recovery: a worker is killed", lambda: faults.killed_worker(system, "worker-1")),
            ("monitoring: metrics of every process", lambda: monitoring.metrics(system)),
            ("alerts: fire and resolve", lambda: monitoring.alerts(system)),
            ("health: every component is probed", lambda: monitoring.health(system, COMPONENTS)),
            ("dashboard: what it shows, as files", lambda: monitoring.exports(system)),
        ]

    return Show("Performance and production", AGENTS, TRANSACTIONS, len(WORKERS), parts)
