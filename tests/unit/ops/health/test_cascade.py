"""Breakers of calls to what does not answer: opened once, and not for what answers badly."""

from __future__ import annotations

from streams.ops.health.cascade import Cascade
from streams.ops.health.finding import Finding
from streams.policy import open_on, policy_for
from streams.policy.breaker import State

DOWN, STALE, WELL = Finding("failed", "away", down=True), Finding("failed", "old"), Finding("healthy")


def test_calls_to_what_does_not_answer_are_not_even_tried() -> None:
    policy, other = policy_for("cassandra 192.0.2.1:9042"), policy_for("milvus 192.0.2.1:19530")
    Cascade(open_on, 30).told("cassandra", DOWN)
    view = policy.breaker.view()
    assert (view.state, view.last_failure) == (State.OPEN, "cassandra does not answer: away")
    assert 0 < view.retry_after <= 30
    assert other.breaker.view().state is State.CLOSED


def test_once_for_each_fall_so_that_trial_calls_find_it_back() -> None:
    opened: list[str] = []
    cascade = Cascade(lambda name, *_: opened.append(name) or [name], 30)  # type: ignore[func-returns-value]
    for found in (DOWN, DOWN, WELL, DOWN, DOWN):
        cascade.told("cassandra", found)
    assert opened == ["cassandra", "cassandra"]


def test_what_answers_and_is_not_well_may_still_be_asked() -> None:
    opened: list[str] = []
    cascade = Cascade(lambda name, *_: opened.append(name) or [], 30)  # type: ignore[func-returns-value]
    for found in (STALE, Finding("degraded", "away (failure 1 of 3)", down=True), WELL):
        cascade.told("node", found)
    assert opened == []
