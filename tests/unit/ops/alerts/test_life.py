"""When alerts fire, resolve and keep silent."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.ops.alerts.life import Alerts, Event
from streams.ops.alerts.rules import AlertRule

X, Y = (("l", "x"),), (("l", "y"),)
HOLDS = {X: 5.0}


def rule(hold: float = 0.0, cooldown: float = 0.0) -> AlertRule:
    return AlertRule("R", "a > 1", hold=hold, cooldown=cooldown)


def states(events: list[Event]) -> list[tuple[str, object]]:
    return [(event.state, event.labels) for event in events]


def test_it_is_told_once_and_resolved() -> None:
    alerts = Alerts()
    assert states(alerts.step(rule(), HOLDS, 0)) == [("firing", X)]
    assert alerts.firing() == 1
    assert alerts.step(rule(), {X: 7.0}, 1) == []
    (resolved,) = alerts.step(rule(), {}, 2)
    assert (resolved.state, resolved.value, resolved.since, resolved.at) == ("resolved", 7.0, 0, 2)
    assert alerts.firing() == 0
    assert alerts.step(rule(), {}, 3) == []


def test_each_series_has_its_own_life() -> None:
    alerts = Alerts()
    assert states(alerts.step(rule(), {X: 2.0, Y: 3.0}, 0)) == [("firing", X), ("firing", Y)]
    assert states(alerts.step(rule(), {Y: 3.0}, 1)) == [("resolved", X)]


def test_it_must_hold_without_a_break() -> None:
    alerts, slow = Alerts(), rule(hold=10)
    assert alerts.step(slow, HOLDS, 0) == []
    assert alerts.step(slow, HOLDS, 9) == []
    assert alerts.step(slow, {}, 9.5) == [], "what was never told is not resolved"
    assert alerts.step(slow, HOLDS, 10) == []
    assert states(alerts.step(slow, HOLDS, 20)) == [("firing", X)]


def test_within_the_cooldown_nothing_is_told_again() -> None:
    alerts, calm = Alerts(), rule(cooldown=100)
    assert states(alerts.step(calm, HOLDS, 0)) == [("firing", X)]
    assert states(alerts.step(calm, {}, 1)) == [("resolved", X)]
    assert alerts.step(calm, HOLDS, 50) == []
    assert alerts.step(calm, {}, 60) == []
    assert states(alerts.step(calm, HOLDS, 100)) == [("firing", X)]


def test_what_goes_on_after_the_cooldown_is_told_then() -> None:
    alerts, calm = Alerts(), rule(cooldown=100)
    alerts.step(calm, HOLDS, 0)
    alerts.step(calm, {}, 1)
    assert [alerts.step(calm, HOLDS, at) for at in (50, 99)] == [[], []]
    assert states(alerts.step(calm, HOLDS, 100)) == [("firing", X)], "it was told to be over, and is not"
    assert alerts.step(calm, HOLDS, 300) == []
    assert states(alerts.step(calm, {}, 301)) == [("resolved", X)]


def test_two_rules_do_not_meet() -> None:
    alerts = Alerts()
    other = AlertRule("S", "a > 1")
    alerts.step(rule(), HOLDS, 0)
    assert alerts.step(other, {}, 1) == []
    assert alerts.firing() == 1


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 5)), max_size=40), st.floats(0, 8), st.floats(0, 20))
def test_firing_and_resolved_alternate_and_keep_their_distance(
    steps: list[tuple[bool, float]], hold: float, cooldown: float
) -> None:
    alerts, at, told = Alerts(), 0.0, []
    for holds, wait in steps:
        at += wait
        told += alerts.step(rule(hold, cooldown), HOLDS if holds else {}, at)
    assert [event.state for event in told] == ["firing", "resolved"] * (len(told) // 2) + ["firing"] * (len(told) % 2)
    firings = [event for event in told if event.state == "firing"]
    assert all(event.at - event.since >= hold for event in firings)
    assert all(after.at - before.at >= cooldown for before, after in pairwise(firings))
