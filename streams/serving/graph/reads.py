"""Answers from the graph that are true for one point of the chain.

A snapshot is made of what the chain view holds; where an undo came while it was made or used, it is made again, so that no
answer holds an edge of a block that the log had undone. What is true now is taken from a snapshot for up to FRESH seconds
unless an undo came meanwhile: an answer names the block it is true for. Work over the whole graph runs on a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from streams.core.block import BlockRef
from streams.core.graph.identity import Feedback, Identity, Name, feedback, identities
from streams.core.graph.insights import LOOKED_AT, Act, Insights, insights
from streams.core.graph.rank import eigentrust, links_of, pagerank, trust_links
from streams.core.graph.related import related
from streams.core.graph.snapshot import Edge, Snapshot
from streams.core.graph.standing import Standing
from streams.core.graph.tally import faded
from streams.serving.chain import ChainReader
from streams.serving.faults import BadRequestError, UnavailableError
from streams.serving.graph.events import Event
from streams.serving.graph.tail import GraphSource

T = TypeVar("T")
FRESH = 1.0
CUE_FRESH = 30.0
KEPT = 4
"""Snapshots kept."""
ROUNDS = 8
TURN = 500
"""Agents looked at before the event loop gets its turn."""
MAX_NODES = 50_000
"""Nodes of a graph that is ranked or searched for patterns."""


class Moment(NamedTuple):
    """A point in the past: up to this height, up to this block time. None, None: now."""

    block: int | None = None
    time: int | None = None


NOW = Moment()


class Picture(NamedTuple):
    """A snapshot with the time its weights are faded to, and the head of the chain when it was made."""

    graph: Snapshot
    time: int
    head: BlockRef | None


class Profile(NamedTuple):
    """An agent, and the identities it owns or acts for."""

    standing: Standing
    identities: list[tuple[Identity, Feedback]]


class GraphReads:
    """Reads of the graph."""

    def __init__(self, chain: ChainReader, source: GraphSource) -> None:
        self._chain = chain
        self._source = source
        self._kept: OrderedDict[Moment, tuple[float, int, int, Picture]] = OrderedDict()
        self._making = asyncio.Lock()
        self._studying = asyncio.Lock()

    async def ask(self, moment: Moment, question: Callable[[Picture], T]) -> T:
        """The answer of a pure ``question`` to a snapshot. Raises BadRequestError for a moment that is not known any more."""
        await self._barrier(moment)
        for _ in range(ROUNDS):
            stood = self._undos
            picture = await self._picture(moment)
            answer = await asyncio.to_thread(question, picture)
            if self._undos == stood:
                return answer
        raise UnavailableError("the chain reorganises faster than the graph can be read", "Ask again in a moment.")

    async def study(self, moment: Moment, question: Callable[[Picture], T]) -> T:
        """As ``ask``, for a question over the whole graph: one at a time, and of a graph that is not too large."""

        def bounded(picture: Picture) -> T:
            _demand_small(picture.graph)
            return question(picture)

        async with self._studying:
            return await self.ask(moment, bounded)

    async def profile(self, agent: bytes, moment: Moment) -> Profile | None:
        """An agent; None if it never sent a transaction."""
        await self._barrier(moment)
        visible = self._visible(moment)
        sent = self._source.table.sent(agent, visible)
        if not sent or sent[-1].standing is None:
            return None
        said = [event.said for event in self._source.table.said(visible) if event.said is not None]
        mine = [one for one in identities(said).values() if agent in {one.owner, one.wallet}]
        given: dict[Name, Feedback] = feedback(said) if mine else {}
        return Profile(sent[-1].standing, [(one, given.get(one.name, Feedback())) for one in mine])

    async def identities(self, capability: str | None, moment: Moment, limit: int) -> list[tuple[Identity, Feedback]]:
        """Identities in believed registries, by name; those with a capability, if one is given."""
        await self._barrier(moment)
        said = [event.said for event in self._source.table.said(self._visible(moment)) if event.said is not None]
        found = sorted(identities(said).items())
        wanted = [one for _, one in found if capability is None or capability in one.capabilities][:limit]
        given = feedback(said) if wanted else {}
        return [(one, given.get(one.name, Feedback())) for one in wanted]

    async def insights(self, agent: bytes, moment: Moment) -> Insights | None:
        """What an agent's newest transactions say; None if it never sent one."""
        await self._barrier(moment)
        sent = self._source.table.sent(agent, self._visible(moment))[-LOOKED_AT:]
        if not sent or sent[-1].standing is None:
            return None
        acts = [Act(event.timestamp, event.target, event.gas, event.succeeded) for event in sent]
        return insights(acts, sent[-1].standing.reputation)

    async def top(self, by: str, seeds: list[bytes], moment: Moment, limit: int) -> tuple[list[tuple[bytes, int]], Picture]:
        """The nodes that rank highest: by ``pagerank``, or by ``trust`` from ``seeds``."""

        def ranked(picture: Picture) -> tuple[list[tuple[bytes, int]], Picture]:
            graph = picture.graph
            ranks = pagerank(links_of(graph)) if by == "pagerank" else eigentrust(trust_links(graph), seeds)
            return sorted(ranks.items(), key=lambda pair: (-pair[1], pair[0]))[:limit], picture

        return await self.study(moment, ranked)

    async def related(self, agent: bytes, addresses: list[bytes]) -> dict[bytes, float]:
        """The cue for retrieval: see ``streams.core.graph.related``. May be CUE_FRESH seconds old; no barrier.

        Raises what ended the graph: what stands still is no cue for ever.
        """
        if self._source.failure is not None:
            raise self._source.failure
        undos = self._undos
        picture = await self._picture(NOW, CUE_FRESH)
        found = related(picture.graph, agent, addresses)
        return found if self._undos == undos else {}

    @property
    def _undos(self) -> int:
        return self._chain.view.undo_count

    async def _barrier(self, moment: Moment) -> None:
        await self._chain.barrier()
        await self._source.barrier()
        horizon = self._source.table.horizon
        known = moment.block is None or moment.block >= horizon
        if not known or (moment.time is not None and horizon):
            raise BadRequestError(
                f"the graph before block {horizon} is not held here any more",
                "Ask as of that block or later, by block; graph.max_events says how much is held.",
            )

    def _visible(self, moment: Moment) -> Callable[[Event], bool]:
        view = self._chain.view

        def visible(event: Event) -> bool:
            return (
                (moment.block is None or event.number <= moment.block)
                and (moment.time is None or event.timestamp <= moment.time)
                and view.holds(event.number, event.block_hash)
            )

        return visible

    async def _picture(self, moment: Moment, patience: float = FRESH) -> Picture:
        async with self._making:
            table = self._source.table
            made, undos, version, picture = self._kept.get(moment, (0.0, -1, -1, None))
            fresh = version == table.version or time.monotonic() - made < patience
            if picture is not None and undos == self._undos and fresh:
                self._kept.move_to_end(moment)
                return picture
            made, undos, version = time.monotonic(), self._undos, table.version
            picture = await self._make(moment)
            if self._undos == undos:
                self._kept[moment] = made, undos, version, picture
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return picture

    async def _make(self, moment: Moment) -> Picture:
        table, head = self._source.table, self._chain.view.head
        visible = self._visible(moment)
        events: list[Event] = []
        for turn, source in enumerate(table.sources):
            events += table.newest(source, visible)
            if turn % TURN == TURN - 1:
                await asyncio.sleep(0)
        now = moment.time if moment.time is not None else max((event.timestamp for event in events), default=0)
        graph = await asyncio.to_thread(lambda: Snapshot(_edge(event, now) for event in events))
        return Picture(graph, now, head)


def _demand_small(graph: Snapshot) -> None:
    """Refuses a graph that takes too long to rank."""
    if len(graph.nodes) > MAX_NODES:
        raise BadRequestError(
            f"the graph has {len(graph.nodes)} nodes; up to {MAX_NODES} are ranked here",
            "Read graph.edges and rank it where there is time.",
        )


def _edge(event: Event, now: int) -> Edge:
    of = event.tally
    weight = faded(of.weight, now - of.last)
    return Edge(
        event.source, event.target, event.kind, event.target_kind, weight, of.strength, of.events, of.volume, of.first, of.last
    )
