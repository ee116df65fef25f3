"""``monmouth demo integrated``: fifteen agents live on a chain that is busy, loses a worker, and reorganises."""

from __future__ import annotations

from collections.abc import Sequence

from streams.cli.demo.course import Metrics, Part, expect
from streams.cli.demo.play import Show
from streams.cli.demo.scenes import chain, faults, load, memories, monitoring, retrieval, workflow
from streams.cli.demo.system import System

AGENTS = 15
BUSY = 5
"""Agents that ask while the load is high."""
TRANSACTIONS = 5
RATE = 10.0
"""Transactions a second."""
HIGH = 3
SECONDS = 300.0
FAST_SECONDS = 6.0
DEPTH = 3
SEEDS = 30
COMPONENTS = 3
FIRST_BLOCKS = 12


def integrated(seconds: float) -> Show:
    """``seconds``: of traffic, two thirds at the normal rate, one third at the high one."""

    def parts(system: System) -> Sequence[tuple[str, Part]]:
        agents = system.chain.agents
        return [
            ("agents: each comes to have a state", lambda: settle_in(system)),
            ("seed data: documents, and a memory of each", lambda: seed(system)),
            ("monitoring: probes and metrics", lambda: watched(system)),
            ("scenario: normal", lambda: load.traffic(system, agents[:1], 2 * seconds / 3, RATE)),
            ("scenario: high load", lambda: load.traffic(system, agents[:BUSY], seconds / 3, HIGH * RATE)),
            ("scenario: a worker is killed", lambda: faults.killed_worker(system, "worker-1")),
            ("scenario: a reorganisation", lambda: chain.reorg(system, agents[:BUSY], DEPTH)),
            ("every agent's day", lambda: workflow.workflow(system, agents)),
            ("verdict of an independent fold", lambda: chain.agreed(system)),
        ]

    return Show("Integrated agents", AGENTS, TRANSACTIONS, 2, parts, seconds)


async def settle_in(system: System) -> Metrics:
    """Blocks until every agent has acted. Raises CheckError if one has no published root."""
    said = await chain.blocks(system, FIRST_BLOCKS)
    missing = [agent.hex() for agent in system.chain.agents if agent not in system.seen.roots]
    expect(not missing, f"{len(missing)} agents have no root: {', '.join(missing[:3])}")
    return {"agents": len(system.chain.agents), **said}


async def seed(system: System) -> Metrics:
    """What agents know before anything happens."""
    said = await retrieval.find(system, system.chain.agents[0])
    return {**said, **await memories.store_and_read(system, system.chain.agents, SEEDS)}


async def watched(system: System) -> Metrics:
    """All components are well, and say so."""
    return {**await monitoring.health(system, COMPONENTS), **await monitoring.metrics(system)}
