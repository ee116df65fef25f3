"""The graph part of both clients: ``client.graph.neighbours(node)``. Parameters: see ``streams.serving.graph.calls``."""

from __future__ import annotations

from typing import Protocol, TypeVar, Unpack

from streams.serving.calls import Call
from streams.serving.graph import calls
from streams.serving.said import Around, AsOf, Capable, Counted, Name, Patterned, Ranked
from streams.serving.wire import Answer
from streams.serving.wire.graph import (
    EdgeList,
    IdentityList,
    InsightsView,
    Neighbours,
    PathView,
    PatternList,
    ProfileView,
    RankList,
)

A = TypeVar("A", bound=Answer)


class Send(Protocol):
    """Carries out a call."""

    def __call__(self, call: Call[A], /) -> A:
        """The answer. Raises GatewayError."""


class AsyncSend(Protocol):
    """Carries out a call, without blocking."""

    async def __call__(self, call: Call[A], /) -> A:
        """The answer. Raises GatewayError."""


class Graph:
    """Blocks."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def neighbours(self, node: Name, **more: Unpack[Around]) -> Neighbours:
        """Nodes within ``depth`` steps."""
        return self._send(calls.neighbours(node, **more))

    def edges(self, node: Name, **more: Unpack[Counted]) -> EdgeList:
        """Edges that start or end at a node."""
        return self._send(calls.edges(node, **more))

    def path(self, node: Name, other: Name, **more: Unpack[AsOf]) -> PathView:
        """The strongest way between two nodes."""
        return self._send(calls.path(node, other, **more))

    def profile(self, agent: Name, **more: Unpack[AsOf]) -> ProfileView:
        """Reputation, counts, identities."""
        return self._send(calls.profile(agent, **more))

    def insights(self, agent: Name, **more: Unpack[AsOf]) -> InsightsView:
        """Trend, rhythm, risk, trust."""
        return self._send(calls.insights(agent, **more))

    def identities(self, **more: Unpack[Capable]) -> IdentityList:
        """Identities in believed registries."""
        return self._send(calls.identities(**more))

    def patterns(self, **more: Unpack[Patterned]) -> PatternList:
        """Frequent pairs, hubs, bridges."""
        return self._send(calls.patterns(**more))

    def top(self, **more: Unpack[Ranked]) -> RankList:
        """The nodes that rank highest: by trust from ``seeds`` where there are any, else by PageRank."""
        return self._send(calls.top(**more))


class AsyncGraph:
    """Does not block."""

    def __init__(self, send: AsyncSend) -> None:
        self._send = send

    async def neighbours(self, node: Name, **more: Unpack[Around]) -> Neighbours:
        """As Graph.neighbours."""
        return await self._send(calls.neighbours(node, **more))

    async def edges(self, node: Name, **more: Unpack[Counted]) -> EdgeList:
        """As Graph.edges."""
        return await self._send(calls.edges(node, **more))

    async def path(self, node: Name, other: Name, **more: Unpack[AsOf]) -> PathView:
        """As Graph.path."""
        return await self._send(calls.path(node, other, **more))

    async def profile(self, agent: Name, **more: Unpack[AsOf]) -> ProfileView:
        """As Graph.profile."""
        return await self._send(calls.profile(agent, **more))

    async def insights(self, agent: Name, **more: Unpack[AsOf]) -> InsightsView:
        """As Graph.insights."""
        return await self._send(calls.insights(agent, **more))

    async def identities(self, **more: Unpack[Capable]) -> IdentityList:
        """As Graph.identities."""
        return await self._send(calls.identities(**more))

    async def patterns(self, **more: Unpack[Patterned]) -> PatternList:
        """As Graph.patterns."""
        return await self._send(calls.patterns(**more))

    async def top(self, **more: Unpack[Ranked]) -> RankList:
        """As Graph.top."""
        return await self._send(calls.top(**more))
