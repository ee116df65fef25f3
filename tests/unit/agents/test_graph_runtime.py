"""The graph agent in the real worker, over a log with reorganisations: its tables are those of the canonical chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streams import topics
from streams.agents.graph import GraphAgent
from streams.runtime.job import AgentFactory
from tests.chainlog import ChainLog, address
from tests.fakelog import FakeBroker
from tests.fakes import MemoryState, record_of
from tests.toys import table
from tests.unit.runtime.driving import caught_up, publish, settings, until, worker


def canonical(chain: ChainLog, partition: int) -> dict[tuple[str, bytes], Any]:
    """Rows by one pass over the blocks that stand."""
    agent = GraphAgent(partition, MemoryState())
    records = [record_of(topics.TRANSACTIONS, kind, row) for _, placed in chain.blocks for _, kind, row in placed[partition]]
    emits = [*agent.apply(None, records), *agent.emit_before_commit()]
    return {(emit.topic, emit.key): emit.value for emit in emits if emit.value is not None}


async def test_tables_are_those_of_the_canonical_chain_after_undos_and_a_restart(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), ChainLog()
    for n in range(10):
        chain.add([n % 3, 1, 2], to=address(n % 4), value=bytes([n + 1]) * 8, status=n % 5 and 1)
    chain.undo(6)
    for n in range(4):
        chain.add([2, 2, n % 2], fork="b", to=address(5), value=b"\x0d" * 8)
    publish(broker, chain)
    factory = AgentFactory(GraphAgent, GraphAgent)
    async with worker(broker, settings(tmp_path), [factory]) as task:
        await until(lambda: caught_up(broker, "graph"), task)
    known = len(chain.steps)
    chain.undo(3)
    chain.add([0, 1, 2, 0], fork="c")
    publish(broker, chain, known)
    async with worker(broker, settings(tmp_path), [factory]) as task:
        await until(lambda: caught_up(broker, "graph"), task)
    for partition in range(broker.partitions):
        found = {
            (topic, key): row
            for topic in (topics.EDGES, topics.REGISTRY)
            for key, row in table(broker.read(topic, partition)).items()
        }
        assert found == canonical(chain, partition)
        assert found
