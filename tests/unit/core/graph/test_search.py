"""Neighbourhoods and shortest paths, against plain definitions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, permutations

from hypothesis import given, settings

from streams.core.graph.search import neighbourhood, path
from streams.core.graph.snapshot import OTHERS, Edge, Snapshot
from streams.core.graph.tally import FAINT, SCALE
from tests.graphs import edge, edges, graph, node


def test_faint_edges_loops_and_others_are_not_in_a_snapshot() -> None:
    drawn = [edge(1, 2), edge(1, 3)._replace(weight=FAINT - 1), edge(4, 4), edge(1, 5)._replace(target=OTHERS)]
    assert Snapshot(drawn).nodes == [node(1), node(2)]


def test_a_node_is_the_most_that_edges_say_of_it_and_an_agent_if_it_acts() -> None:
    found = Snapshot(
        [
            edge(1, 2, target_kind="TOKEN"),
            edge(3, 2, target_kind="CONTRACT"),
            edge(3, 4, target_kind="POOL"),
            edge(4, 5),
        ]
    )
    assert [found.kinds[node(n)] for n in range(1, 6)] == ["AGENT", "TOKEN", "AGENT", "AGENT", "ACCOUNT"]


def test_neighbours_are_found_level_by_level_and_the_strongest_first() -> None:
    found = neighbourhood(graph((1, 2, 0.2), (3, 1, 0.4), (2, 4), (4, 5), (5, 6)), node(1), 3, 10)
    assert [(reached.node[0], reached.depth, reached.through[0]) for reached in found] == [
        (3, 1, 1),
        (2, 1, 1),
        (4, 2, 2),
        (5, 3, 4),
    ]
    assert len(neighbourhood(graph((1, 2), (2, 3), (3, 4), (4, 5)), node(1), 99, 10)) == 3
    assert neighbourhood(graph((1, 2)), node(9), 3, 10) == []


def test_neighbours_are_limited() -> None:
    found = neighbourhood(graph(*((1, n) for n in range(2, 30))), node(1), 3, 5)
    assert [reached.node[0] for reached in found] == [2, 3, 4, 5, 6]


def test_a_path_goes_where_weights_are_high() -> None:
    found = graph((1, 2, 0.1), (1, 3, 0.9), (3, 4, 0.9), (2, 4, 0.9), (4, 5, 0.1))
    assert path(found, node(1), node(4)) == [node(1), node(3), node(4)]
    assert path(found, node(5), node(1)) == [node(5), node(4), node(3), node(1)]
    assert path(found, node(1), node(1)) == [node(1)]
    assert path(found, node(1), node(77)) is None


def cost(found: Snapshot, way: Sequence[bytes]) -> int:
    return sum(SCALE * SCALE // found.neighbours(a)[b] for a, b in pairwise(way))


@settings(max_examples=40, deadline=None)
@given(edges(nodes=5, most=8))
def test_no_path_is_shorter(drawn: list[Edge]) -> None:
    found = Snapshot(drawn)
    if len(found.nodes) < 2:
        return
    start, end = found.nodes[0], found.nodes[-1]
    inner = [one for one in found.nodes if one not in {start, end}]
    ways = [(start, *middle, end) for count in range(len(inner) + 1) for middle in permutations(inner, count)]
    costs = [cost(found, way) for way in ways if all(b in found.neighbours(a) for a, b in pairwise(way))]
    best = path(found, start, end)
    if best is None:
        assert costs == []
        return
    assert (best[0], best[-1], len(set(best))) == (start, end, len(best))
    assert cost(found, best) == min(costs)
