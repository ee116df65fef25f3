"""Shapes of the knowledge graph. Weights, strengths and ranks are parts of one; volumes whole coins over all tokens.

A node is an address, or an identity in an ERC-8004 registry: registry and number, 0x and 104 hex digits.
"""

from __future__ import annotations

from typing import Literal

from streams.core.graph.identity import Feedback, Identity
from streams.core.graph.insights import Insights, Rhythm
from streams.core.graph.patterns import Pattern, PatternKind, Relationship
from streams.core.graph.snapshot import Edge, Kind, NodeKind
from streams.core.graph.standing import COIN, Specialisation, Standing, specialisation
from streams.core.graph.tally import SCALE
from streams.serving.addresses import to_hex
from streams.serving.wire.base import Answer, Block


def part(value: int) -> float:
    """A number in units of 1e-12 as a part of one."""
    return value / SCALE


class GraphPoint(Answer):
    """What an answer is true for. ``time``: block time to which weights have faded; ``head``: of the chain when it was read."""

    block: int | None
    time: int
    head: Block | None


class Neighbour(Answer):
    """A node found. ``through``: the node it was found from; ``weight``: of all edges between these two."""

    node: str
    kind: NodeKind
    depth: int
    through: str
    weight: float


class Neighbours(Answer):
    """Nodes around a node, nearest first, then by weight."""

    node: str
    items: list[Neighbour]
    as_of: GraphPoint


class EdgeView(Answer):
    """One edge. ``weight``: faded; ``strength``: mean with each outcome in turn; ``first`` and ``last``: unix seconds."""

    source: str
    target: str
    kind: Kind
    target_kind: NodeKind
    weight: float
    strength: float
    events: int
    volume: float
    first: int
    last: int

    @classmethod
    def of(cls, edge: Edge, kind: NodeKind) -> EdgeView:
        """From a snapshot's edge."""
        return cls(
            source=to_hex(edge.source),
            target=to_hex(edge.target),
            kind=edge.kind,
            target_kind=kind,
            weight=part(edge.weight),
            strength=part(edge.strength),
            events=edge.events,
            volume=edge.volume / COIN,
            first=edge.first,
            last=edge.last,
        )


class EdgeList(Answer):
    """Edges that start or end at a node, the heaviest first. ``total``: how many there are."""

    node: str
    total: int
    items: list[EdgeView]
    as_of: GraphPoint


class PathView(Answer):
    """The way between two nodes with the least sum of 1 / weight, both ends included; empty if there is none.

    ``relationship``: what the last is to the first; null where they have nothing to do with each other.
    """

    nodes: list[str]
    relationship: Relationship | None
    as_of: GraphPoint


class FeedbackView(Answer):
    """What clients said of an identity. ``count``, ``clients`` and ``mean`` leave out what was revoked."""

    count: int
    clients: int
    mean: float | None
    revoked: int
    responses: int


class IdentityView(Answer):
    """An identity in a registry that the gateway believes."""

    registry: str
    agent_id: str
    owner: str | None
    wallet: str | None
    uri: str
    capabilities: list[str]
    feedback: FeedbackView

    @classmethod
    def of(cls, identity: Identity, given: Feedback) -> IdentityView:
        """From the folds."""
        return cls(
            registry=to_hex(identity.name.registry),
            agent_id=str(identity.name.agent_id),
            owner=to_hex(identity.owner) if identity.owner else None,
            wallet=to_hex(identity.wallet) if identity.wallet else None,
            uri=identity.uri,
            capabilities=identity.capabilities,
            feedback=FeedbackView(
                count=len(given.standing),
                clients=given.clients,
                mean=None if given.mean is None else part(given.mean),
                revoked=given.revoked,
                responses=given.responses,
            ),
        )


class IdentityList(Answer):
    """Identities, by registry and number."""

    items: list[IdentityView]


class ProfileView(Answer):
    """What an agent's transactions and the registries say of it. ``reputation``: 0.5, then 0.9 r + 0.1 outcome."""

    agent: str
    transactions: int
    failures: int
    reputation: float
    specialisation: Specialisation
    whale: int
    complex_ops: int
    standard: int
    gas: int
    volume: float
    first_seen: int
    last_seen: int
    identities: list[IdentityView]

    @classmethod
    def of(cls, agent: bytes, standing: Standing, identities: list[tuple[Identity, Feedback]]) -> ProfileView:
        """From the folds."""
        return cls(
            agent=to_hex(agent),
            transactions=standing.transactions,
            failures=standing.failures,
            reputation=part(standing.reputation),
            specialisation=specialisation(standing),
            whale=standing.whale,
            complex_ops=standing.complex_ops,
            standard=standing.standard,
            gas=standing.gas,
            volume=standing.volume / COIN,
            first_seen=standing.first,
            last_seen=standing.last,
            identities=[IdentityView.of(*pair) for pair in identities],
        )


class InsightsView(Answer):
    """What an agent's newest transactions say: see ``streams/core/graph/insights.py`` for the formulas."""

    agent: str
    looked_at: int
    trend: float
    rhythm: Rhythm
    success: float
    risk: float
    trust: float

    @classmethod
    def of(cls, agent: bytes, found: Insights) -> InsightsView:
        """From the fold."""
        return cls(
            agent=to_hex(agent),
            looked_at=found.looked_at,
            trend=part(found.trend),
            rhythm=found.rhythm,
            success=part(found.success),
            risk=part(found.risk),
            trust=part(found.trust),
        )


class PatternView(Answer):
    """A pattern. ``score``: of a pair, events / 100; of a hub and a bridge, 0.1."""

    kind: PatternKind
    nodes: list[str]
    score: float

    @classmethod
    def of(cls, pattern: Pattern) -> PatternView:
        """From the fold."""
        return cls(kind=pattern.kind, nodes=[to_hex(node) for node in pattern.nodes], score=part(pattern.score))


class PatternList(Answer):
    """Patterns, the highest score first. ``total``: how many there are."""

    total: int
    items: list[PatternView]
    as_of: GraphPoint


class RankView(Answer):
    """A node and its part of all rank. ``influence``: (neighbours + edges) / nodes."""

    node: str
    kind: NodeKind
    rank: float
    influence: float


class RankList(Answer):
    """The nodes that rank highest."""

    by: Literal["pagerank", "trust"]
    items: list[RankView]
    as_of: GraphPoint
