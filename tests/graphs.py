"""Small graphs for tests, and strategies of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from streams.core.graph.snapshot import KINDS, Edge, Snapshot
from streams.core.graph.tally import SCALE


def node(n: int) -> bytes:
    return bytes([n]) * 20


def edge(source: int, target: int, weight: float = 0.5, **fields: Any) -> Edge:
    """An edge from node to node; ``weight`` as a part of one."""
    base = Edge(node(source), node(target), "TRANSFER", "ACCOUNT", int(weight * SCALE), SCALE, 1, 1_000_000, 0, 0)
    return base._replace(**fields)


def graph(*edges: tuple[int, int] | tuple[int, int, float]) -> Snapshot:
    return Snapshot(edge(*ends) for ends in edges)


@st.composite
def edges(draw: st.DrawFn, nodes: int = 8, most: int = 20) -> list[Edge]:
    """Edges between a few nodes, at most one of a kind between two."""
    number = st.integers(1, nodes)
    ends = draw(st.lists(st.tuples(number, number, st.sampled_from(KINDS[:5])), unique=True, max_size=most))
    return [
        edge(a, b, draw(st.floats(0.02, 1)), kind=kind, strength=draw(st.integers(0, SCALE)), events=draw(st.integers(1, 9)))
        for a, b, kind in ends
    ]
