"""The verdict over a graph: what is affected, what is the cause, what is told, and what it comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ops.health.dependencies import Dependencies
from streams.ops.health.finding import POINTS, Finding, together
from streams.ops.health.verdict import Verdict, judge
from tests.unit.ops.health.test_dependencies import graphs

PIPELINE = Dependencies(
    {
        "gateway": ["memory", "lattice", "broker"],
        "lattice": ["memory", "broker"],
        "memory": ["cassandra", "producer", "broker"],
        "producer": ["node", "broker"],
    }
)
WELL = dict.fromkeys(PIPELINE.order, Finding("healthy"))


def found(**states: Finding) -> Verdict:
    return judge(PIPELINE, {**WELL, **states})


def test_all_well() -> None:
    verdict = found()
    assert (verdict.status, verdict.score, verdict.roots) == ("healthy", 1.0, ())
    assert verdict.count("healthy") == len(WELL)


def test_nothing_known_is_well() -> None:
    assert judge(PIPELINE, {}) == Verdict("healthy", 1.0)


def test_the_cause_is_named_and_alone_is_told() -> None:
    verdict = found(cassandra=Finding("failed"), memory=Finding("failed", "its store: away"))
    assert (verdict.status, verdict.roots) == ("failed", ("cassandra",))
    assert verdict.components["gateway"].because == "gateway degraded because memory failed because cassandra failed"
    assert verdict.components["memory"].affected
    assert {name for name, one in verdict.components.items() if one.affected} == {"memory", "lattice", "gateway"}
    assert not verdict.components["producer"].affected
    assert [verdict.components[name].status for name in ("gateway", "memory", "producer")] == ["degraded", "failed", "healthy"]


def test_what_still_works_downstream_is_degraded_at_best() -> None:
    verdict = found(cassandra=Finding("failed"))
    assert verdict.components["gateway"].because == "gateway degraded because memory degraded because cassandra failed"
    assert verdict.components["gateway"].score == 0.5
    assert verdict.components["gateway"].own.status == "healthy"


def test_a_complaint_does_not_spread() -> None:
    verdict = found(cassandra=Finding("degraded", "slow"))
    assert (verdict.status, verdict.roots, verdict.count("degraded")) == ("degraded", ("cassandra",), 1)


def test_two_causes_are_both_named_and_told_by_weight() -> None:
    verdict = found(cassandra=Finding("failed"), node=Finding("failed"), lattice=Finding("degraded", "slow"))
    assert verdict.roots == ("node", "cassandra")
    assert verdict.components["memory"].causes == ("cassandra", "node")
    assert verdict.components["memory"].because == (
        "memory degraded because cassandra failed; memory degraded because producer degraded because node failed"
    )
    assert verdict.components["producer"].causes == ("node",)


def test_what_is_not_known_is_passed_through() -> None:
    verdict = judge(PIPELINE, {"gateway": Finding("healthy"), "node": Finding("failed")})
    assert verdict.components["gateway"].because == "gateway degraded because node failed"


def test_the_score_weighs_by_what_depends_on_each() -> None:
    broker, gateway = found(broker=Finding("failed")), found(gateway=Finding("failed"))
    assert gateway.score == pytest.approx(1 - 1 / sum(PIPELINE.criticality(name) for name in WELL))
    assert broker.score < gateway.score
    assert judge(PIPELINE, {**WELL, "gateway": Finding("failed")}, {"gateway": 0.0}).score == 1.0


def test_several_looks_at_one_thing_are_as_bad_as_the_worst() -> None:
    both = together([Finding("healthy", "fine"), Finding("failed", "away"), Finding("degraded", "slow")])
    assert (both.status, both.detail, both.score) == ("failed", "away; slow", 0.5)
    assert together([]).status == "healthy"


STATUSES = st.sampled_from(["healthy", "degraded", "failed"])


@given(graphs(), st.data())
def test_whatever_fails_has_a_root_and_every_affected_one_names_it(graph: Dependencies, data: st.DataObject) -> None:
    states = {name: Finding(data.draw(STATUSES)) for name in graph.order if data.draw(st.booleans())}
    verdict = judge(graph, states)
    failed = {name for name, finding in states.items() if finding.status == "failed"}
    assert 0 <= verdict.score <= 1
    assert bool(failed) == (verdict.status == "failed")
    assert (verdict.status == "healthy") == (not verdict.roots) == (verdict.score == 1)
    for name, one in verdict.components.items():
        assert one.affected == bool(graph.everything(name) & failed)
        assert set(one.causes) <= failed & set(verdict.roots)
        assert POINTS[one.status] <= POINTS[one.own.status]
        assert not one.affected or (one.because.startswith(f"{name} ") and one.causes and one.status != "healthy")
        assert one.status == "healthy" or one.affected or name in verdict.roots


@given(graphs(), st.data())
def test_one_more_failure_makes_nothing_better(graph: Dependencies, data: st.DataObject) -> None:
    states = {name: Finding(data.draw(STATUSES)) for name in graph.order}
    worse = {**states, data.draw(st.sampled_from(graph.order)): Finding("failed")}
    before, after = judge(graph, states), judge(graph, worse)
    assert after.score <= before.score + 1e-9
    assert all(POINTS[after.components[name].status] <= POINTS[before.components[name].status] for name in states)
