"""The fold: transactions in, events of edges and profiles of agents out.

Assumes records of chain.transactions come in canonical order. Each event of an edge is a record of its own that carries what
the edge's events up to it add up to: nothing is overwritten, and the edge as of any block is its newest event up to there.
Invariants: an event is a function of the agent's transactions up to it; ``revert`` after ``apply`` restores LocalState bit for
bit and leaves tombstones where the events were; an agent has at most MAX_EDGES edges kept apart, and what it does with others
beyond them counts for the node OTHERS, so that counts and reputation stay whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from schemas.records import ChainTransaction
from streams import topics
from streams.agents.base import Emit, LocalState, Record, StreamAgent
from streams.agents.graph.books import Books, Page
from streams.agents.graph.rows import Place, edge_record, profile_record
from streams.core.block import BlockRef
from streams.core.graph import standing, tally
from streams.core.graph.identity import Said
from streams.core.graph.snapshot import KINDS, OTHERS, Kind
from streams.core.graph.standing import Standing
from streams.core.ids import content_id
from streams.decoding.features import number
from streams.decoding.relations import Relation, micros_of, relations_of
from streams.errors import PoisonError

MAX_EDGES = 10_000
FEEDBACK = {"NewFeedback": 1, "FeedbackRevoked": -1}
STATEMENTS = 256
"""Statements in registries of which a profile is made: the newest."""


class GraphAgent(StreamAgent):
    """chain.transactions to graph.edges and agents.registry."""

    name: ClassVar[str] = "graph"
    inputs: ClassVar[tuple[str, ...]] = (topics.TRANSACTIONS,)
    tables: ClassVar[tuple[str, ...]] = (topics.EDGES, topics.REGISTRY)
    stateful: ClassVar[bool] = True
    keeps_state: ClassVar[bool] = True

    def __init__(self, partition: int, state: LocalState, max_edges: int = MAX_EDGES) -> None:
        super().__init__(partition, state)
        self._books = Books(state)
        self._max_edges = max_edges
        self._dirty: set[bytes] = set()

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        return [emit for transaction in _transactions(records) for emit in self._apply(transaction)]

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        return [emit for transaction in reversed(_transactions(records)) for emit in self._revert(transaction)]

    def emit_before_commit(self) -> Iterable[Emit]:
        emissions = [self._profile(agent) for agent in sorted(self._dirty)]
        self._dirty.clear()
        return emissions

    def state_digest(self) -> bytes:
        return self._books.digest

    def _apply(self, transaction: ChainTransaction) -> Iterator[Emit]:
        relations = relations_of(transaction)
        if not relations:
            return
        agent, ids = transaction["agent"], _ids(transaction, len(relations))
        page = self._books.page(agent) or Page(BlockRef.of(transaction["block"]), Standing())
        stands = _stands(page.standing, transaction)
        for ordinal, (event, relation) in enumerate(zip(ids, relations, strict=True)):
            target, page = self._kept_apart(agent, relation, page)
            edge = _edge(agent, relation.kind, target)
            adds_up = tally.after(
                self._books.tally(edge), relation.micros, transaction["timestamp"], succeeded=transaction["status"] != 0
            )
            self._books.push_tally(edge, event, adds_up)
            self._books.count(event, 1)
            page = self._stated(agent, relation, page)
            row = edge_record(transaction, relation, Place(event, ordinal, target), adds_up, stands)
            yield Emit(topics.EDGES, agent + event, "GraphEdge", {**row})
        self._books.push_page(agent, ids[0], replace(page, block=BlockRef.of(transaction["block"]), standing=stands))
        self._dirty.add(agent)

    def _kept_apart(self, agent: bytes, relation: Relation, page: Page) -> tuple[bytes, Page]:
        """The node an event counts for, and the page with the edge to it."""
        if self._books.tally(_edge(agent, relation.kind, relation.target)) is not None:
            return relation.target, page
        if page.edges >= self._max_edges:
            return OTHERS, page
        return relation.target, replace(page, edges=page.edges + 1)

    def _stated(self, agent: bytes, relation: Relation, page: Page) -> Page:
        """The page with what the event says of identities."""
        if relation.kind == "FEEDBACK":
            return replace(page, feedback=page.feedback + FEEDBACK.get(relation.event, 0))
        passes_on = bool(page.statements) and relation.event == "TransferToken"
        if relation.kind != "IDENTITY" and not passes_on:
            return page
        said = Said(relation.event, relation.arguments, relation.token)
        self._books.put_statement(agent, page.statements, said)
        return replace(page, statements=page.statements + 1)

    def _revert(self, transaction: ChainTransaction) -> Iterator[Emit]:
        relations = relations_of(transaction)
        agent, ids = transaction["agent"], _ids(transaction, len(relations))
        for event, relation in zip(reversed(ids), reversed(relations), strict=True):
            targets = (relation.target, OTHERS)
            if any(self._books.pop_tally(_edge(agent, relation.kind, target), event) for target in targets):
                self._books.count(event, -1)
                yield Emit(topics.EDGES, agent + event, "GraphEdge", None)
        if ids and self._books.pop_page(agent, ids[0]):
            self._dirty.add(agent)

    def _profile(self, agent: bytes) -> Emit:
        page = self._books.page(agent)
        if page is None:
            return Emit(topics.REGISTRY, agent, "AgentProfile", None)
        statements = self._books.statements(agent, max(0, page.statements - STATEMENTS), page.statements)
        return Emit(topics.REGISTRY, agent, "AgentProfile", {**profile_record(agent, page, statements)})


def _transactions(records: Sequence[Record]) -> list[ChainTransaction]:
    for record in records:
        if record.type != "ChainTransaction":
            raise PoisonError(f"{record.topic} holds a {record.type}, which is no input of the graph agent")
    return [record.value for record in records]


def _ids(transaction: ChainTransaction, count: int) -> list[bytes]:
    """Content ids of a transaction's events."""
    block, index, agent = transaction["block"]["hash"], transaction["index"], transaction["agent"]
    return [content_id("monmouth/edge", transaction["chain_id"], block, index, agent, ordinal) for ordinal in range(count)]


def _edge(agent: bytes, kind: Kind, target: bytes) -> bytes:
    return agent + bytes([KINDS.index(kind)]) + target


def _stands(before: Standing, transaction: ChainTransaction) -> Standing:
    micros = micros_of(number(transaction["value"]), transaction["chain_id"], None)
    succeeded, time = transaction["status"] != 0, transaction["timestamp"]
    return standing.after(before, micros, transaction["gas_used"], time, succeeded=succeeded)
