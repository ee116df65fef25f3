"""Compares the graph's topics and its local state with a fold of chain.transactions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from streams import topics
from streams.ports.log import LogReader
from streams.upkeep.difference import Difference
from streams.upkeep.local import Local
from streams.upkeep.tables import newest_rows, record_digest, row_differences
from streams.upkeep.transactions import GraphFold

AGENT = 20


async def graph_rows(reader: LogReader, partition: int) -> dict[bytes, bytes]:
    """Digests of what graph.edges holds, by key."""
    return await newest_rows(reader, topics.EDGES, partition, "GraphEdge", lambda row: record_digest("GraphEdge", row))


async def graph_differences(reader: LogReader, partition: int, graph: GraphFold, edges: dict[bytes, bytes]) -> list[Difference]:
    """Of graph.edges and agents.registry. ``edges``: as ``graph_rows`` read them."""

    def event(key: bytes, what: str) -> Difference:
        return Difference(topics.EDGES, f"event {key[AGENT:].hex()} {what}", key[:AGENT])

    def profile(key: bytes, what: str) -> Difference:
        return Difference(topics.REGISTRY, f"the profile {what}", key)

    def small(row: object) -> bytes:
        return record_digest("AgentProfile", row)

    profiles = await newest_rows(reader, topics.REGISTRY, partition, "AgentProfile", small)
    return [*row_differences(graph.edges, edges, event), *row_differences(graph.profiles, profiles, profile)]


def local_graph_differences(local: Local, partition: int, graph: GraphFold) -> Iterator[Difference]:
    """Of local state: how many rows of each agent are wrong. Under ``d`` lies the digest, which is no agent's."""
    side = f"local state of graph/{partition}"
    keys = graph.rows.keys() | local.rows.keys()
    wrong = Counter(key[1 : 1 + AGENT] for key in keys if local.rows.get(key) != graph.rows.get(key))
    for agent, count in sorted(wrong.items()):
        yield Difference(
            side, f"{count} rows are not what the log says" if agent else "the digest is not that of the log", agent
        )
