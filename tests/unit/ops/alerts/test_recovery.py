"""A watch that begins anew agrees with what the last one wrote: nothing is told twice, nothing forgotten."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.ops.alerts.judge import Judge
from streams.ops.alerts.life import Alerts, Event
from streams.ops.alerts.logwatch import LogWatch, _Look
from streams.ops.alerts.records import by_hand, event_of, labels_of, record_of
from streams.ops.alerts.rules import AlertRule
from streams.ops.alerts.series import Labels, Sample
from streams.ops.alerts.teller import Former
from streams.ops.reports import MetricReport, MetricSample
from streams.settings import Settings

X, Y = (("l", "x"),), (("l", "y"),)
RULE = AlertRule("R", "a > 1", cooldown=0.0)
RULES = {"R": RULE}


def told(events: list[Event]) -> list[tuple[str, Labels]]:
    return [(event.state, event.labels) for event in events]


def test_what_fires_on_is_told_by_neither_again_and_its_end_is() -> None:
    alerts = Alerts()
    alerts.step(RULE, {X: 2.0}, 0)
    assert alerts.recover(RULES, {("R", X): 2.0}, 1) == []
    assert told(alerts.step(RULE, {}, 2)) == [("resolved", X)]


def test_what_began_and_ended_meanwhile_is_told() -> None:
    alerts = Alerts()
    alerts.step(RULE, {X: 2.0}, 0)
    events = alerts.recover(RULES, {("R", Y): 5.0}, 1)
    assert told(events) == [("firing", X), ("resolved", Y)]
    assert events[1].value == 5.0


def test_what_is_kept_silent_here_but_was_told_there_is_resolved_when_it_ends() -> None:
    alerts = Alerts()
    alerts.step(RULE, {X: 2.0}, 0, lambda _: True)
    assert alerts.recover(RULES, {("R", X): 2.0}, 1) == []
    assert told(alerts.step(RULE, {}, 2)) == [("resolved", X)]


def test_what_was_kept_silent_there_and_is_muted_here_is_over_when_it_ends() -> None:
    alerts = Alerts()
    alerts.step(RULE, {X: 2.0}, 0, lambda _: True)
    assert alerts.recover(RULES, {}, 1, silenced={("R", X): 2.0}) == []
    (over,) = alerts.step(RULE, {}, 2)
    assert (over.state, over.labels, over.silenced) == ("resolved", X, True)


def test_what_was_declared_over_by_hand_is_told_again_only_when_it_begins_anew() -> None:
    alerts, over = Alerts(), {("R", X): 3.0, ("R", Y): 3.0}
    alerts.step(RULE, {X: 2.0}, 0)
    alerts.step(RULE, {X: 2.0, Y: 2.0}, 4)
    assert told(alerts.recover(RULES, {}, 5, by_hand=over)) == [("firing", Y)]
    assert alerts.step(RULE, {X: 2.0, Y: 2.0}, 6) == []
    assert alerts.step(RULE, {Y: 2.0}, 7) == [], "its end was told"
    assert told(alerts.step(RULE, {X: 2.0, Y: 2.0}, 8)) == [("firing", X)]


def test_a_new_watch_goes_on_with_what_the_one_before_knew_of_rules_that_stay() -> None:
    calm, changed = replace(RULE, cooldown=100.0), AlertRule("Other", "b > 1", cooldown=100.0)
    before = Judge([calm, changed], 1)
    for level, at in ((2.0, 0.0), (0.0, 1.0)):
        before.take(Sample(name, X, at, level) for name in ("monmouth_a", "monmouth_b"))
        assert len(before.step(at)) == 2
    new = Judge([calm, replace(changed, condition="b > 1.5")], 1)
    new.adopt(before)
    new.take(Sample(name, X, 50.0, 2.0) for name in ("monmouth_a", "monmouth_b"))
    assert [event.rule.name for event in new.step(50.0)] == ["Other"], "the other one is within its cooldown"


def test_a_look_takes_up_alerts_of_the_one_before_it() -> None:
    """It was declared over ten minutes after it began, and is seen from then on alone."""
    judge = Judge([RULE], 1)
    look = _Look(judge, 1_000)

    def report(at: float) -> MetricReport:
        return MetricReport("worker", "w", round(1000 * at), (MetricSample("monmouth_a", "GAUGE", {"l": "x"}, 2.0),))

    (event,) = look.live([(1_000.0, report(1_000.0))])
    record = record_of(event)
    over = replace(record, state="resolved", at_ms=1_600_000, summary="[resolved] by hand: warning R")
    assert by_hand(over) and not by_hand(record)
    for former, again in ((judge, []), (None, [("firing", event.labels)])):
        new = _Look(Judge([RULE], 1), 1_000, former)
        new.past([(1_700.0, report(1_700.0))], 60.0)
        events, closed = new.recover(Former({over.key: over}, 2), RULES)
        assert (told(events), closed) == (again, [])


def test_a_watch_takes_the_place_of_the_last_one_that_came_so_far_as_to_look() -> None:
    first = LogWatch([RULE], {}, Settings())
    assert first._former_judge() is None
    first._judge = Judge([RULE], 1)
    away = LogWatch([RULE], {}, Settings(), first)
    last = LogWatch([RULE], {}, Settings(), away)
    assert last._former_judge() is first._judge
    away._judge = Judge([RULE], 1)
    assert last._former_judge() is away._judge


def test_an_alert_of_a_rule_that_is_no_more_is_not_ours() -> None:
    assert Alerts().recover(RULES, {("Old", X): 1.0}, 1) == []


def test_records_and_events_say_the_same() -> None:
    event = Event(RULE, (*X, ("instance", "w")), "firing", 2.0, 1.0, 3.0)
    record = record_of(event)
    again = event_of(record, RULES)
    assert again is not None
    assert (again.rule, again.labels, again.state, again.value, again.at) == (RULE, labels_of(record), "firing", 2.0, 3.0)
    assert record.key == b'R|instance="w",l="x"'
    assert event_of(record, {}) is None
    gone = Event(RULE, X, "resolved", 2.0, 1.0, 3.0, gone=True)
    through = event_of(record_of(gone), RULES)
    assert through is not None and (through.gone, through.summary) == (True, gone.summary)
    assert not again.gone
    assert record_of(Event(RULE, X, "resolved", math.nan, 1, 1)).value == 0.0


@given(st.lists(st.sets(st.sampled_from([X, Y])), min_size=1, max_size=12), st.integers(0, 11))
def test_with_a_restart_in_between_others_hear_what_they_would_have_heard(holds: list[set[Labels]], restart: int) -> None:
    """The new watch sees the same past again, silently; then what is told is what one watch alone would have told."""

    def run(alerts: Alerts, steps: list[set[Labels]], first: int) -> list[tuple[str, Labels]]:
        found = []
        for at, labels in enumerate(steps, first):
            found += told(alerts.step(RULE, dict.fromkeys(labels, 2.0), at))
        return found

    one = run(Alerts(), holds, 0)
    restart = min(restart, len(holds))
    before = run(Alerts(), holds[:restart], 0)
    fires = dict[tuple[str, Labels], float]()
    for state, labels in before:
        if state == "firing":
            fires["R", labels] = 2.0
        else:
            fires.pop(("R", labels), None)
    new = Alerts()
    run(new, holds[:restart], 0)
    assert new.recover(RULES, fires, restart) == []
    assert before + run(new, holds[restart:], restart) == one
