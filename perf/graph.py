"""The knowledge graph: the agent's fold, what an event takes in memory, a snapshot, ranks beside dense arithmetic.

.venv/bin/python -m perf.graph [--transactions 50000] [--agents 2000]
"""

from __future__ import annotations

import argparse
import random
import tracemalloc
from typing import Any

import numpy as np

from perf.measure import show, timed
from schemas.codec import codec
from streams import topics
from streams.agents.graph import GraphAgent
from streams.core.block import BlockRef
from streams.core.graph.patterns import patterns
from streams.core.graph.rank import DAMPING, Links, links_of, pagerank
from streams.core.graph.search import neighbourhood
from streams.core.graph.snapshot import Snapshot
from streams.core.graph.tally import SCALE
from streams.serving.graph.events import Event, Registries, event_of
from streams.serving.graph.reads import _edge
from streams.serving.graph.table import GraphTable
from tests.chainlog import GENESIS, address, transaction
from tests.fakes import MemoryState, record_of

DENSE = 2_000
"""Nodes up to which the dense arithmetic is run beside ours."""


def records(count: int, agents: int) -> list[Any]:
    """Payments between agents, the busier the lower their number."""
    rng = random.Random(7)
    block = BlockRef(1, GENESIS.parent, GENESIS.hash)
    made = []
    for index in range(count):
        sender, peer = (int(agents * rng.random() ** 2) for _ in range(2))
        row = transaction(block, index, address(sender), to=address(peer), value=rng.randrange(10**18).to_bytes(8, "big"))
        made.append(record_of(topics.TRANSACTIONS, "ChainTransaction", row))
    return made


def dense(links: Links) -> dict[bytes, float]:
    """PageRank by a dense matrix and a solve."""
    nodes = sorted({node for link in links for node in link})
    place = {node: index for index, node in enumerate(nodes)}
    matrix = np.zeros((len(nodes), len(nodes)))
    for (source, target), weight in links.items():
        matrix[place[source], place[target]] += weight
    totals = matrix.sum(axis=1)
    matrix[totals > 0] /= totals[totals > 0, None]
    start, damping = np.full(len(nodes), 1 / len(nodes)), DAMPING / 100
    system = np.eye(len(nodes)) - damping * matrix.T + damping * np.outer(start, totals > 0)
    return dict(zip(nodes, np.linalg.solve(system, start), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transactions", type=int, default=50_000)
    parser.add_argument("--agents", type=int, default=2_000)
    options = parser.parse_args()
    inputs = records(options.transactions, options.agents)
    state = MemoryState()
    agent = GraphAgent(0, state)
    with timed("graph agent, transactions", len(inputs)) as fold:
        emits = list(agent.apply(None, inputs))
    written = [(emit.key, codec().encode(emit.type, emit.value or {})) for emit in emits]
    before = dict(state.content)
    with timed("the same, taken back", len(inputs)) as back:
        list(agent.revert(BlockRef(1, GENESIS.parent, GENESIS.hash), inputs))
    assert state.content == {}
    show("stream agent", [fold, back], "rows")
    kept = sum(len(key) + len(value) for key, value in before.items()) / len(inputs)
    size = sum(len(value) for _, value in written) / len(written)
    print(f"  local state: {kept:,.0f} bytes a transaction; record: {size:,.0f} bytes an event")

    tracemalloc.start()
    table = GraphTable(10**9, lambda: None)
    for key, value in written:
        table.put(event_of(key, value, Registries.parse([])))
    print(f"  gateway: {tracemalloc.get_traced_memory()[0] / len(table):,.0f} bytes of memory an event, {len(table):,} events")
    tracemalloc.stop()

    def everything(_: Event) -> bool:
        return True

    with timed("snapshot, edges") as snapshot:
        events = [event for source in table.sources for event in table.newest(source, everything)]
        graph = Snapshot(_edge(event, events[0].timestamp) for event in events)
        assert len(graph.around) == len(graph.kinds) == len(graph.nodes)
    snapshot.rows = len(graph.edges)
    with timed("neighbours, three steps", 100) as near:
        for node in graph.nodes[:100]:
            assert neighbourhood(graph, node, 3, 200)
    with timed("patterns, nodes", len(graph.nodes)) as found:
        patterns(graph)
    links = links_of(graph)
    with timed("PageRank, links", len(links)) as ranks:
        ours = pagerank(links)
    show("one snapshot", [ranks, snapshot, near, found], "rows")
    if len(graph.nodes) <= DENSE:
        with timed("limit: dense solve, links", len(links)) as limit:
            theirs = dense(links)
        worst = max(abs(rank / SCALE - theirs[node]) for node, rank in ours.items())
        show("PageRank", [ranks, limit], "links")
        print(f"  largest difference of a rank: {worst:.1e}")
        assert worst < 2e-7


if __name__ == "__main__":
    main()
