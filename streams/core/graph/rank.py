"""PageRank and EigenTrust over one snapshot, in integers: equal snapshots give equal bytes on every machine.

Both are the point where a walker ends up who follows links by weight with probability DAMPING, and otherwise (also where no
link leads on) starts again: anywhere for PageRank, at a trusted seed for EigenTrust (Kamvar et al. 2003, with restart at the
pre-trusted peers). So trust beyond the seeds is bounded by what flows over links: a group that vouches for itself gets at most
DAMPING / (1 - DAMPING) times what flows into it from others, however large it is.
Invariant: ranks sum to 1 but for rounding, below 1e-12 a node.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from streams.core.graph.snapshot import Snapshot
from streams.core.graph.tally import SCALE

DAMPING = 85
"""Percent."""
MASS = 1 << 36
SHARE = 1 << 26
"""A rank times a share fits 64 bits: MASS x SHARE = 2^62."""
ROUNDS = 200
"""Where ranks still move after so many rounds, it is by less than 0.85^200 of all."""

SAID = frozenset({"IDENTITY", "FEEDBACK", "VALIDATION"})
Links = Mapping[tuple[bytes, bytes], int]
Integers = NDArray[np.int64]


def links_of(graph: Snapshot) -> dict[tuple[bytes, bytes], int]:
    """Weight from node to node, over all kinds of edges."""
    found: dict[tuple[bytes, bytes], int] = {}
    for edge in graph.edges:
        key = edge.source, edge.target
        found[key] = found.get(key, 0) + edge.weight
    return found


def trust_links(graph: Snapshot) -> dict[tuple[bytes, bytes], int]:
    """As ``links_of``, each weight times the strength: relations that fail count less. What is only said in a registry, and may
    be praise or blame, is no dealing and counts nothing.
    """
    found: dict[tuple[bytes, bytes], int] = {}
    for edge in graph.edges:
        if edge.kind in SAID:
            continue
        key = edge.source, edge.target
        found[key] = found.get(key, 0) + edge.weight * edge.strength // SCALE
    return found


def pagerank(links: Links) -> dict[bytes, int]:
    """Rank of each node that a link touches, in units of 1e-12."""
    nodes = _nodes(links)
    return _stationary(nodes, links, nodes)


def eigentrust(links: Links, seeds: Collection[bytes]) -> dict[bytes, int]:
    """Trust of each node that a link touches or that is a seed, in units of 1e-12. Raises ValueError without seeds."""
    if not seeds:
        raise ValueError("trust starts at seeds, and there are none")
    return _stationary(sorted({*_nodes(links), *seeds}), links, sorted(set(seeds)))


def _nodes(links: Links) -> list[bytes]:
    return sorted({node for link in links for node in link})


def _stationary(nodes: Sequence[bytes], links: Links, starts: Sequence[bytes]) -> dict[bytes, int]:
    if not nodes:
        return {}
    place = {node: index for index, node in enumerate(nodes)}
    sources, targets, shares = _shares(place, links)
    start = np.array([place[node] for node in starts], np.int64)
    ranks = _restarted(np.zeros(len(nodes), np.int64), start)
    for _ in range(ROUNDS):
        flow = np.zeros(len(nodes), np.int64)
        np.add.at(flow, targets, ranks[sources] * shares // SHARE)
        moved = _restarted(flow * DAMPING // 100, start)
        if np.array_equal(moved, ranks):
            break
        ranks = moved
    return {node: int(rank) * SCALE // MASS for node, rank in zip(nodes, ranks, strict=True)}


def _restarted(flow: Integers, start: Integers) -> Integers:
    """``flow`` with all mass that is missing put at the starts, in equal parts but for one unit."""
    each, more = divmod(MASS - int(flow.sum()), len(start))
    found = flow.copy()
    found[start] += each
    found[start[:more]] += 1
    return found


def _shares(place: Mapping[bytes, int], links: Links) -> tuple[Integers, Integers, Integers]:
    """Links in a fixed order: places of source and target, and which part of the source's weight goes there."""
    totals: dict[bytes, int] = {}
    for (source, _), weight in links.items():
        totals[source] = totals.get(source, 0) + weight
    rows = [
        (place[source], place[target], weight * SHARE // totals[source])
        for (source, target), weight in sorted(links.items())
        if totals[source]
    ]
    columns = np.array(rows, np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]
