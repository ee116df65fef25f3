"""Patterns in a snapshot, and what two nodes are to each other. Pure; answers come in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from streams.core.graph.snapshot import Edge, Snapshot
from streams.core.graph.tally import SCALE

FREQUENT = 5
"""Events between two nodes, in both directions, from which on they are a frequent pair."""
HUB = 10
"""Neighbours from which on a node is a hub."""
TENTH = SCALE // 10

PatternKind = Literal["FREQUENT_PAIR", "HUB", "BRIDGE"]
Relationship = Literal["COLLABORATOR", "COMPETITOR", "PROVIDER", "CONSUMER", "PEER"]


class Pattern(NamedTuple):
    """``score``: of a pair, events / 100, at most 1; of a hub, what it adds to activity, of a bridge, to trust: 0.1."""

    kind: PatternKind
    nodes: tuple[bytes, ...]
    score: int


def patterns(graph: Snapshot) -> list[Pattern]:
    """All patterns."""
    return sorted([*_pairs(graph), *_hubs(graph), *(Pattern("BRIDGE", (node,), TENTH) for node in bridges(graph))])


def _pairs(graph: Snapshot) -> Iterator[Pattern]:
    counts: dict[tuple[bytes, ...], int] = {}
    for edge in graph.edges:
        pair = tuple(sorted((edge.source, edge.target)))
        counts[pair] = counts.get(pair, 0) + edge.events
    for pair, events in counts.items():
        if events >= FREQUENT:
            yield Pattern("FREQUENT_PAIR", pair, min(SCALE, events * SCALE // 100))


def _hubs(graph: Snapshot) -> Iterator[Pattern]:
    for node in graph.nodes:
        if len(graph.neighbours(node)) >= HUB:
            yield Pattern("HUB", (node,), TENTH)


def bridges(graph: Snapshot) -> list[bytes]:
    """Nodes without which some of their neighbours could not reach each other (cut vertices: Hopcroft and Tarjan 1973)."""
    around = {node: sorted(graph.neighbours(node)) for node in graph.nodes}
    order: dict[bytes, int] = {}
    low: dict[bytes, int] = {}
    found: set[bytes] = set()
    for root in graph.nodes:
        if root not in order:
            _search(root, around, order, low, found)
    return sorted(found)


def _search(
    root: bytes, around: dict[bytes, list[bytes]], order: dict[bytes, int], low: dict[bytes, int], found: set[bytes]
) -> None:
    """Depth first from ``root``, without recursion: a chain of payments may be long."""
    order[root] = low[root] = len(order)
    branches = 0
    stack = [(root, b"", iter(around[root]))]
    while stack:
        node, parent, rest = stack[-1]
        for other in rest:
            if other not in order:
                order[other] = low[other] = len(order)
                branches += node == root
                stack.append((other, node, iter(around[other])))
                break
            if other != parent:
                low[node] = min(low[node], order[other])
        else:
            stack.pop()
            if stack:
                low[parent] = min(low[parent], low[node])
                if parent != root and low[node] >= order[parent]:
                    found.add(parent)
    if branches > 1:
        found.add(root)


def influence(graph: Snapshot, node: bytes) -> int:
    """(neighbours + edges) / nodes, in units of 1e-12; 0 for a node that is not there."""
    edges = graph.around.get(node, ())
    return (len(graph.neighbours(node)) + len(edges)) * SCALE // len(graph.nodes) if edges else 0


def relationship(graph: Snapshot, one: bytes, other: bytes) -> Relationship | None:
    """What ``other`` is to ``one``.

    COLLABORATOR: one has delegated to the other, or asked it to work together, or both have provided liquidity to one pool.
    PROVIDER: one pays, and gets less than a quarter of that back; CONSUMER: the reverse. PEER: any other dealing.
    COMPETITOR: no dealing, but both swap in one pool. None: nothing of it.
    """
    between = [edge for edge in graph.around.get(one, ()) if other in {edge.source, edge.target}]
    if any(edge.kind == "DELEGATION" for edge in between) or _both(graph, one, other, "LIQUIDITY_PROVISION"):
        return "COLLABORATOR"
    if not between:
        return "COMPETITOR" if _both(graph, one, other, "SWAP") else None
    if any(edge.kind == "INTERACTION" and graph.kinds[edge.target] == "AGENT" for edge in between):
        return "COLLABORATOR"
    paid, got = _volume(between, one), _volume(between, other)
    if paid > 4 * got:
        return "PROVIDER"
    return "CONSUMER" if got > 4 * paid else "PEER"


def _volume(edges: list[Edge], source: bytes) -> int:
    return sum(edge.volume for edge in edges if edge.source == source)


def _both(graph: Snapshot, one: bytes, other: bytes, kind: str) -> bool:
    def targets(node: bytes) -> set[bytes]:
        return {edge.target for edge in graph.around.get(node, ()) if edge.kind == kind and edge.source == node}

    return bool(targets(one) & targets(other))
