"""The graph at one point of time: edges with their faded weights, by either end.

Nodes are bytes: 20 for an address, 52 for an identity (registry, then its number), none for "everyone else" (where an agent has
more edges than are kept apart). Invariant: the order in which edges are given changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Literal, NamedTuple

from streams.core.graph.tally import FAINT

Kind = Literal["TRANSFER", "SWAP", "LIQUIDITY_PROVISION", "DELEGATION", "INTERACTION", "IDENTITY", "FEEDBACK", "VALIDATION"]
KINDS: tuple[Kind, ...] = (
    "TRANSFER",
    "SWAP",
    "LIQUIDITY_PROVISION",
    "DELEGATION",
    "INTERACTION",
    "IDENTITY",
    "FEEDBACK",
    "VALIDATION",
)
NodeKind = Literal["ACCOUNT", "AGENT", "CONTRACT", "TOKEN", "POOL", "IDENTITY", "OTHERS"]
NODE_KINDS: tuple[NodeKind, ...] = ("ACCOUNT", "AGENT", "CONTRACT", "TOKEN", "POOL", "IDENTITY", "OTHERS")
OTHERS = b""
"""The node that stands for everyone beyond an agent's limit of edges."""


class Edge(NamedTuple):
    """One directed edge. ``weight``: faded to the point of the snapshot; ``source`` has acted, so it is an agent."""

    source: bytes
    target: bytes
    kind: Kind
    target_kind: NodeKind
    weight: int
    strength: int
    events: int
    volume: int
    first: int
    last: int


class Snapshot:
    """Edges that are not faint, in a fixed order."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        kept = (edge for edge in edges if edge.weight >= FAINT and edge.target not in {OTHERS, edge.source})
        self.edges: list[Edge] = sorted(kept)

    @cached_property
    def nodes(self) -> list[bytes]:
        """All nodes, sorted."""
        return sorted({node for edge in self.edges for node in (edge.source, edge.target)})

    @cached_property
    def kinds(self) -> dict[bytes, NodeKind]:
        """What each node is: an agent if it has acted, else the most that any edge says of it."""
        found: dict[bytes, NodeKind] = {}
        for edge in self.edges:
            known = found.get(edge.target, "ACCOUNT")
            found[edge.target] = max(known, edge.target_kind, key=NODE_KINDS.index)
        return {**found, **{edge.source: "AGENT" for edge in self.edges}}

    @cached_property
    def around(self) -> dict[bytes, list[Edge]]:
        """Edges that start or end at each node."""
        found: dict[bytes, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.source, []).append(edge)
            found.setdefault(edge.target, []).append(edge)
        return found

    def neighbours(self, node: bytes) -> dict[bytes, int]:
        """Weight of all edges, in either direction, to each neighbour."""
        found: dict[bytes, int] = {}
        for edge in self.around.get(node, ()):
            other = edge.target if edge.source == node else edge.source
            found[other] = found.get(other, 0) + edge.weight
        return found
