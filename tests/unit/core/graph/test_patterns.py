"""Patterns, relationships, insights, and the cue for retrieval."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from streams.core.graph.insights import Act, Insights, insights
from streams.core.graph.patterns import HUB, bridges, influence, patterns, relationship
from streams.core.graph.related import bonus, named, related
from streams.core.graph.snapshot import Edge, Snapshot
from streams.core.graph.tally import SCALE
from tests.graphs import edge, edges, graph, node


def reachable(found: Snapshot, start: bytes, without: bytes) -> set[bytes]:
    seen, edge_of = {start}, [start]
    while edge_of:
        edge_of = [other for one in edge_of for other in found.neighbours(one) if other not in seen and other != without]
        seen.update(edge_of)
    return seen


@settings(max_examples=60, deadline=None)
@given(edges(nodes=7, most=9))
def test_a_bridge_is_a_node_without_which_neighbours_cannot_reach_each_other(drawn: list[Edge]) -> None:
    found = Snapshot(drawn)
    wanted = []
    for one in found.nodes:
        around = set(found.neighbours(one))
        if any(around - reachable(found, other, one) for other in around):
            wanted.append(one)
    assert bridges(found) == wanted


def test_a_long_chain_of_bridges_needs_no_stack() -> None:
    chain = [edge(1, 2)._replace(source=n.to_bytes(20, "big"), target=(n + 1).to_bytes(20, "big")) for n in range(3_000)]
    assert len(bridges(Snapshot(chain))) == 2_999


def test_patterns_are_named_and_scored() -> None:
    drawn = [edge(1, 2, events=3), edge(2, 1, events=4), edge(1, 3, events=4)] + [edge(9, 20 + n) for n in range(HUB)]
    found = [(one.kind, [name[0] for name in one.nodes], one.score * 100 // SCALE) for one in patterns(Snapshot(drawn))]
    assert found == [("BRIDGE", [1], 10), ("BRIDGE", [9], 10), ("FREQUENT_PAIR", [1, 2], 7), ("HUB", [9], 10)]
    assert patterns(Snapshot([])) == []
    (pair,) = [one for one in patterns(Snapshot([edge(1, 2, events=1_000)])) if one.kind == "FREQUENT_PAIR"]
    assert pair.score == SCALE


def test_influence_is_neighbours_and_edges_by_nodes() -> None:
    found = graph((1, 2), (1, 3), (4, 2))
    assert influence(found, node(1)) == 4 * SCALE // 4
    assert influence(found, node(3)) == 2 * SCALE // 4
    assert influence(found, node(77)) == 0


@pytest.mark.parametrize(
    ("drawn", "wanted"),
    [
        ([edge(1, 2, volume=50), edge(2, 1, volume=12)], "PROVIDER"),
        ([edge(2, 1, volume=50), edge(1, 2, volume=12)], "CONSUMER"),
        ([edge(2, 1, volume=50), edge(1, 2, volume=13)], "PEER"),
        ([edge(1, 2, kind="DELEGATION")], "COLLABORATOR"),
        ([edge(1, 2, kind="INTERACTION"), edge(2, 5)], "COLLABORATOR"),
        ([edge(1, 8, kind="LIQUIDITY_PROVISION"), edge(2, 8, kind="LIQUIDITY_PROVISION")], "COLLABORATOR"),
        ([edge(1, 8, kind="SWAP"), edge(2, 8, kind="SWAP")], "COMPETITOR"),
        ([edge(1, 8, kind="SWAP"), edge(2, 9, kind="SWAP")], None),
    ],
)
def test_what_two_are_to_each_other(drawn: list[Edge], wanted: str | None) -> None:
    assert relationship(Snapshot(drawn), node(1), node(2)) == wanted


def acts(*outcomes: bool, gap: int = 30, gas: int = 21_000, targets: int = 1) -> list[Act]:
    return [Act(gap * i, node(1 + i % targets), gas, ok) for i, ok in enumerate(outcomes)]


def test_insights_of_an_agent_that_gets_better() -> None:
    found = insights(acts(*[False] * 10, *[True] * 10), SCALE // 2)
    assert found == Insights(20, SCALE, "burst", SCALE // 2, 0, SCALE // 2)


def test_insights_of_an_agent_at_risk() -> None:
    found = insights(acts(*[False] * 150, gap=4_000, gas=200_000, targets=2), 29 * SCALE // 100)
    assert (found.rhythm, found.risk, found.success, found.trend) == ("sporadic", SCALE, 0, 0)


@pytest.mark.parametrize(("gap", "rhythm"), [(59, "burst"), (60, "frequent"), (300, "regular"), (3_600, "sporadic")])
def test_rhythm_goes_by_the_mean_gap(gap: int, rhythm: str) -> None:
    assert insights(acts(True, True, True, gap=gap), SCALE // 2).rhythm == rhythm


def test_success_adds_to_trust_and_nothing_is_known_of_nobody() -> None:
    assert insights(acts(*[True] * 9), SCALE // 2).trust == 55 * SCALE // 100
    assert insights(acts(*[True] * 4, False), SCALE // 2).trust == SCALE // 2  # 0.8 is not above 0.8
    assert insights([], SCALE // 2) == Insights(0, 0, "sporadic", 0, 0, SCALE // 2)


def test_addresses_close_to_those_asked_about_get_a_weight() -> None:
    found = graph((1, 2, 0.9), (1, 3, 0.9), (2, 4, 0.3), (5, 2, 0.6), (4, 6))
    weights = related(found, node(1), [node(2)])
    assert {name[0]: round(weight, 6) for name, weight in weights.items()} == {5: 0.6, 4: 0.3}
    assert related(found, node(1), [node(2)[:4]]) == weights
    assert related(found, node(1), []) == related(found, node(1), [node(1)]) == {}
    assert max(related(found, node(1), [node(2), node(6)]).values()) == pytest.approx(0.8)  # both lead to 4


def test_the_cue_of_a_memory_is_its_closest_address() -> None:
    weights = {node(5): 0.6, node(4): 0.3}
    assert bonus(weights, f"sent 1 ETH to 0x{node(4).hex()} and 0x{node(5)[:4].hex()}…") == 0.6
    assert bonus(weights, f"sent 1 ETH to 0x{node(4)[:4].hex()}…") == 0.3
    assert bonus(weights, "sent 1 ETH to a friend") == bonus({}, f"0x{node(4).hex()}") == 0.0
    assert named(f"0x{'ab' * 32}") == set()  # a hash is no address
