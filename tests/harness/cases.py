"""The ten cases, each a scene or several on the one pipeline. ``CASES`` is their order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from streams.cli.demo.course import Metrics
from streams.cli.demo.scenes import chain, faults, memories, messages, monitoring, retrieval, workflow
from streams.cli.demo.system import System

COMPONENTS = 3
"""Least that a gateway probes."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a case works on. ``errors``: processes may be killed; ``monitoring``: it is looked at."""

    system: System
    errors: bool
    monitoring: bool

    @property
    def agents(self) -> Sequence[bytes]:
        """All that act on the chain."""
        return self.system.chain.agents


Case = Callable[[Bench], Awaitable[Metrics]]


async def communication(bench: Bench) -> Metrics:
    """Ten messages of two components in turn: signed, balanced, counted; a stranger's is not answered."""
    said = await messages.talk(bench.system, bench.agents, 10)
    return {**said, **await messages.stranger(bench.system, bench.agents[0])}


async def state_synchronization(bench: Bench) -> Metrics:
    """The questions about a state over messages as over HTTP, and a replica of every agent."""
    said = await messages.six_questions(bench.system, bench.agents[:1])
    return {**said, **await memories.replicate(bench.system, bench.agents)}


async def memory_operations(bench: Bench) -> Metrics:
    """Ten memories stored, read back, and proven against the log."""
    return await memories.store_and_read(bench.system, bench.agents, 10)


async def rag_system(bench: Bench) -> Metrics:
    """Twenty documents, five questions, three relations."""
    return await retrieval.find(bench.system, bench.agents[0])


async def performance(bench: Bench) -> Metrics:
    """Fifty messages at once, twenty questions kept by the cache."""
    said = await messages.load(bench.system, bench.agents, 50)
    return {**said, **await retrieval.cached(bench.system, bench.agents[1:], 20)}


async def error_handling(bench: Bench) -> Metrics:
    """A record that cannot be read is set aside; if asked for, a worker is killed and all agree afterwards."""
    said = await faults.dead_letter(bench.system, bench.agents[2])
    return {**said, **await faults.killed_worker(bench.system, "worker-1")} if bench.errors else said


async def reorg_coordination(bench: Bench) -> Metrics:
    """Three blocks undone: five agents verified, three checkpoints validated."""
    return await chain.reorg(bench.system, bench.agents[:5], 3)


async def checkpoint_recovery(bench: Bench) -> Metrics:
    """Five checkpoints made and gone back to, one agent recovered."""
    said = await chain.checkpoints(bench.system, "memory", 5)
    return {**said, **await faults.lost_row(bench.system, bench.agents[3])}


async def production_monitoring(bench: Bench) -> Metrics:
    """Health, metrics, files of the dashboard, and alerts that fire and resolve."""
    if not bench.monitoring:
        return {"monitoring": "off"}
    said = await monitoring.health(bench.system, COMPONENTS)
    seen = {**await monitoring.metrics(bench.system), **await monitoring.exports(bench.system)}
    return {**said, **seen, **await monitoring.alerts(bench.system)}


async def end_to_end(bench: Bench) -> Metrics:
    """Five agents: recall, decide, store, prove, tell, agree; then an independent fold of everything."""
    await bench.system.settle()
    said = await workflow.workflow(bench.system, bench.agents[:5])
    return {**said, **await chain.agreed(bench.system)}


CASES: Sequence[tuple[str, Case]] = (
    ("cross-ExEx communication", communication),
    ("state synchronization", state_synchronization),
    ("memory operations", memory_operations),
    ("RAG system", rag_system),
    ("performance under load", performance),
    ("error handling", error_handling),
    ("reorg coordination", reorg_coordination),
    ("checkpoints and recovery", checkpoint_recovery),
    ("production monitoring", production_monitoring),
    ("end to end", end_to_end),
)
