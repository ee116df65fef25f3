"""PageRank and EigenTrust: a dense solve says the same, order says nothing, and sybils gain no more than was given to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.graph.rank import DAMPING, Links, eigentrust, links_of, pagerank, trust_links
from streams.core.graph.snapshot import Edge, Snapshot
from streams.core.graph.tally import SCALE
from tests.graphs import edges, graph, node


def dense(links: Links, nodes: list[bytes], starts: set[bytes]) -> dict[bytes, float]:
    """The same fixed point by linear algebra: x = d P^T x + (1 - d sum over nodes with links of x) s."""
    place, size, damping = {name: i for i, name in enumerate(nodes)}, len(nodes), DAMPING / 100
    matrix = np.zeros((size, size))
    for (source, target), weight in links.items():
        matrix[place[source], place[target]] += weight
    totals = matrix.sum(axis=1)
    leads_on = totals > 0
    matrix[leads_on] /= totals[leads_on, None]
    start = np.array([name in starts for name in nodes], float) / len(starts)
    ranks = np.linalg.solve(np.eye(size) - damping * matrix.T + damping * np.outer(start, leads_on), start)
    return dict(zip(nodes, ranks, strict=True))


def near(found: dict[bytes, int], wanted: dict[bytes, float]) -> None:
    assert found.keys() == wanted.keys()
    for name, rank in found.items():
        assert rank / SCALE == pytest.approx(wanted[name], abs=1e-7)
    assert abs(sum(found.values()) - SCALE) <= len(found)


@settings(max_examples=40, deadline=None)
@given(edges())
def test_ranks_are_those_of_a_dense_solve(drawn: list[Edge]) -> None:
    links = links_of(Snapshot(drawn))
    nodes = sorted({name for link in links for name in link})
    assert pagerank(links) == {} if not nodes else True
    if nodes:
        near(pagerank(links), dense(links, nodes, set(nodes)))
        seeds = {nodes[0], node(99)}
        near(eigentrust(links, seeds), dense(links, sorted({*nodes, *seeds}), seeds))


@settings(max_examples=30, deadline=None)
@given(edges(), st.randoms(use_true_random=False), st.integers(0, 3))
def test_order_and_partition_of_the_edges_change_no_bit(drawn: list[Edge], random: Any, parts: int) -> None:
    shuffled = list(drawn)
    random.shuffle(shuffled)
    pieces = [[one for i, one in enumerate(shuffled) if i % (parts + 1) == part] for part in range(parts + 1)]
    merged = Snapshot(one for piece in pieces for one in piece)
    assert list(pagerank(links_of(Snapshot(drawn))).items()) == list(pagerank(links_of(merged)).items())
    seeds = [node(1), node(2)]
    assert eigentrust(trust_links(Snapshot(drawn)), seeds) == eigentrust(trust_links(merged), seeds[::-1])


def test_no_node_gains_by_its_place_in_the_order() -> None:
    hub, leaves = bytes(20), [n.to_bytes(20, "big") for n in range(1, 3_000)]
    ranks = pagerank({(leaf, hub): SCALE for leaf in leaves})
    assert len({ranks[leaf] // 100 for leaf in leaves}) <= 2  # to the tenth place
    wanted = dense({(leaf, hub): SCALE for leaf in leaves[:300]}, [hub, *leaves[:300]], {hub, *leaves[:300]})
    found = pagerank({(leaf, hub): SCALE for leaf in leaves[:300]})
    assert max(abs(found[name] / SCALE - rank) for name, rank in wanted.items()) < 1e-8


def test_trust_without_a_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="seeds"):
        eigentrust({(node(1), node(2)): SCALE}, [])


def test_relations_that_fail_earn_less_trust() -> None:
    drawn = [
        one._replace(strength=strength) for one, strength in zip(graph((1, 2), (1, 3)).edges, (SCALE, SCALE // 4), strict=True)
    ]
    trust = eigentrust(trust_links(Snapshot(drawn)), [node(1)])
    assert trust[node(2)] == pytest.approx(4 * trust[node(3)], rel=1e-4)


def test_what_is_said_in_a_registry_earns_no_trust() -> None:
    said = [one._replace(kind=kind) for one in graph((1, 3)).edges for kind in ("FEEDBACK", "VALIDATION", "IDENTITY")]
    assert trust_links(Snapshot([*graph((1, 2)).edges, *said])).keys() == {(node(1), node(2))}


HONEST = [(a, b) for a in range(1, 6) for b in range(1, 6) if a != b]
"""Five that all deal with each other."""


def ring(k: int) -> list[tuple[int, int]]:
    return [(100 + i, 100 + (i + 1) % k) for i in range(k)]


def star(k: int) -> list[tuple[int, int]]:
    return [(100 + i, 100) for i in range(1, k)] + [(100, 100 + i) for i in range(1, k)]


def gained(rank: Callable[[Snapshot], dict[bytes, int]], sybils: list[tuple[int, int]]) -> float:
    """Share of all that the sybils get, where one honest peer once dealt with one of them, weakly."""
    ranks = rank(graph(*HONEST, *sybils, (1, 100, 0.1)))
    return sum(score for name, score in ranks.items() if name[0] >= 100) / sum(ranks.values())


def bounded(rank: Callable[[Snapshot], dict[bytes, int]], group: Callable[[int], list[tuple[int, int]]]) -> bool:
    """Whether a hundred sybils gain no more than flows in allows, and no more than ten gain."""
    trust = eigentrust(trust_links(graph(*HONEST)), [node(n) for n in range(1, 6)])
    into = trust[node(1)] / SCALE * 0.1 / (4 * 0.5 + 0.1)
    most = DAMPING / (100 - DAMPING) * into + 1e-6
    few, many = gained(rank, group(10)), gained(rank, group(100))
    return few <= most and many <= most


def by_trust(found: Snapshot) -> dict[bytes, int]:
    return eigentrust(trust_links(found), [node(n) for n in range(1, 6)])


def by_praise(found: Snapshot) -> dict[bytes, int]:
    """The naive measure: what everybody says of a node, added up."""
    praise: dict[bytes, int] = {}
    for one in found.edges:
        praise[one.target] = praise.get(one.target, 0) + one.weight
    return praise


@pytest.mark.parametrize("group", [ring, star])
def test_sybils_gain_no_more_than_flows_to_them(group: Callable[[int], list[tuple[int, int]]]) -> None:
    assert bounded(by_trust, group)
    assert gained(by_trust, group(100)) == pytest.approx(gained(by_trust, group(10)), rel=0.35)


@pytest.mark.parametrize("group", [ring, star])
@pytest.mark.parametrize("naive", [by_praise, lambda found: pagerank(links_of(found))], ids=["praise", "pagerank"])
def test_a_naive_measure_is_carried_away_by_the_same_sybils(
    naive: Callable[[Snapshot], dict[bytes, int]], group: Callable[[int], list[tuple[int, int]]]
) -> None:
    assert not bounded(naive, group)
    assert gained(naive, group(100)) > 0.5
