"""What a client asks of the graph; no I/O. A node is 0x-hex or bytes: an address (20), or an identity (52)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streams.serving.calls import Call, named
from streams.serving.said import Name
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

GRAPH = "/v1/graph"


def _as_of(block: int | None, time: int | None) -> dict[str, Any]:
    return {"as_of_block": block, "as_of_time": time}


def neighbours(
    node: Name, *, depth: int = 1, limit: int = 50, as_of_block: int | None = None, as_of_time: int | None = None
) -> Call[Neighbours]:
    """Nodes within ``depth`` steps."""
    params = {"depth": depth, "limit": limit, **_as_of(as_of_block, as_of_time)}
    return Call("GET", f"{GRAPH}/{named(node)}/neighbours", Neighbours, params)


def edges(node: Name, *, limit: int = 50, as_of_block: int | None = None, as_of_time: int | None = None) -> Call[EdgeList]:
    """Edges that start or end at a node."""
    return Call("GET", f"{GRAPH}/{named(node)}/edges", EdgeList, {"limit": limit, **_as_of(as_of_block, as_of_time)})


def path(node: Name, other: Name, *, as_of_block: int | None = None, as_of_time: int | None = None) -> Call[PathView]:
    """The strongest way between two nodes."""
    return Call("GET", f"{GRAPH}/{named(node)}/path/{named(other)}", PathView, _as_of(as_of_block, as_of_time))


def profile(agent: Name, *, as_of_block: int | None = None, as_of_time: int | None = None) -> Call[ProfileView]:
    """Reputation, counts, identities."""
    return Call("GET", f"{GRAPH}/{named(agent)}/profile", ProfileView, _as_of(as_of_block, as_of_time))


def insights(agent: Name, *, as_of_block: int | None = None, as_of_time: int | None = None) -> Call[InsightsView]:
    """Trend, rhythm, risk, trust."""
    return Call("GET", f"{GRAPH}/{named(agent)}/insights", InsightsView, _as_of(as_of_block, as_of_time))


def identities(
    *, capability: str | None = None, limit: int = 100, as_of_block: int | None = None, as_of_time: int | None = None
) -> Call[IdentityList]:
    """Identities in believed registries."""
    params = {"capability": capability, "limit": limit, **_as_of(as_of_block, as_of_time)}
    return Call("GET", f"{GRAPH}/identities", IdentityList, params)


def patterns(
    *, kind: str | None = None, limit: int = 100, as_of_block: int | None = None, as_of_time: int | None = None
) -> Call[PatternList]:
    """Frequent pairs, hubs, bridges."""
    params = {"kind": kind, "limit": limit, **_as_of(as_of_block, as_of_time)}
    return Call("GET", f"{GRAPH}/patterns", PatternList, params)


def top(
    *, seeds: Iterable[Name] = (), limit: int = 20, as_of_block: int | None = None, as_of_time: int | None = None
) -> Call[RankList]:
    """The nodes that rank highest: by trust from ``seeds`` where there are any, else by PageRank."""
    trusted = [named(seed) for seed in seeds]
    params = {"by": "trust" if trusted else "pagerank", "seed": trusted, "limit": limit, **_as_of(as_of_block, as_of_time)}
    return Call("GET", f"{GRAPH}/top", RankList, params)
