"""Incidents: attempts are counted, spaced out and bounded, and what is over begins anew."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from streams.errors import LogIntegrityError, PositionLostError, StoreError
from streams.last_words import LastWords, happened_at
from streams.ops.recovery.ailments import Ailment, Kind, Symptom
from streams.ops.recovery.decide import Strategy
from streams.ops.recovery.incidents import Incidents, Limits

LIMITS = Limits()


def dead(name: str = "worker-1", kind: Kind = Kind.WORKER) -> Ailment:
    return Ailment(name, kind, Symptom.DEAD)


def stuck(name: str = "worker-1") -> Ailment:
    return Ailment(name, Kind.WORKER, Symptom.STUCK)


def test_attempts_go_up_with_pauses_and_end_with_a_person() -> None:
    incidents, now, found = Incidents(LIMITS), 0.0, []
    while not found or found[-1] is not Strategy.ASK:
        action = incidents.next([stuck()], now)
        if action is not None:
            found.append(action.strategy)
            incidents.acted("worker-1", now)
            assert action.strategy is Strategy.ASK or incidents.next([stuck()], now + 1.9) is None
        now += 1
    assert found == [Strategy.RESTART, Strategy.FORCED, Strategy.ASK]
    assert incidents.next([stuck()], now + 10_000) is None  # it is the person's


def test_who_was_well_for_a_while_begins_anew() -> None:
    incidents = Incidents(LIMITS)
    for now in (0.0, 200.0, 400.0):
        action = incidents.next([dead()], now)
        assert action is not None
        assert action.strategy is Strategy.FORCED
        incidents.acted("worker-1", now)
        incidents.well("worker-1", now + 10)
        incidents.well("worker-1", now + 10 + LIMITS.quiet)
    assert incidents.open == {}


def test_a_moment_of_being_well_is_not_enough() -> None:
    incidents = Incidents(LIMITS)
    assert incidents.next([dead()], 0.0) is not None
    incidents.acted("worker-1", 0.0)
    incidents.well("worker-1", 10)
    assert incidents.next([dead()], 20.0) is not None
    assert incidents.open["worker-1"].tried == [Strategy.FORCED] * 2
    incidents.well("worker-1", 50)
    incidents.well("worker-1", 50 + LIMITS.quiet - 1)
    assert "worker-1" in incidents.open


def test_the_start_of_one_that_was_gone_is_no_step_of_the_ladder() -> None:
    incidents, done = Incidents(LIMITS), []
    unready = Ailment("worker-1", Kind.WORKER, Symptom.UNREADY)
    for number, ailment in enumerate([dead(), unready, unready, unready]):
        action = incidents.next([ailment], 100.0 * number)
        assert action is not None
        done.append(action.strategy)
        incidents.acted("worker-1", 100.0 * number)
    assert done == [Strategy.FORCED, Strategy.RESTART, Strategy.FORCED, Strategy.ASK]


def test_three_deaths_in_an_incident_are_enough_unless_it_may_pass() -> None:
    for error, expected in ((None, Strategy.ASK), (StoreError("away"), Strategy.FORCED)):
        incidents = Incidents(LIMITS)
        ailment = Ailment("worker-1", Kind.WORKER, Symptom.DEAD, LastWords.of(error) if error else None)
        for number in range(4):
            action = incidents.next([ailment], 100.0 * number)
            incidents.acted("worker-1", 100.0 * number)
        assert action is not None
        assert action.strategy is expected


def test_the_producer_comes_first() -> None:
    incidents = Incidents(LIMITS)
    ill = [dead(kind, kind) for kind in (Kind.OPS, Kind.ALERTS, Kind.GATEWAY)]
    ill += [dead("worker-1"), dead("producer", Kind.PRODUCER)]
    order = []
    while ill:
        action = incidents.next(ill, 0.0)
        assert action is not None
        order.append(action.program)
        ill = [ailment for ailment in ill if ailment.program != action.program]
    assert order == ["producer", "worker-1", "gateway", "alerts", "ops"]


def test_an_integrity_stop_is_isolated_once_and_never_restarted() -> None:
    words = LastWords.of(LogIntegrityError("altered"))
    ailment = Ailment("worker-1", Kind.WORKER, Symptom.DEAD, words)
    incidents = Incidents(LIMITS)
    assert (action := incidents.next([ailment], 0.0)) is not None
    assert action.strategy is Strategy.ASK
    assert incidents.next([ailment], 1e6) is None


def test_what_may_pass_is_tried_for_days() -> None:
    incidents, now = Incidents(LIMITS), 0.0
    ailment = Ailment("worker-1", Kind.WORKER, Symptom.DEAD, LastWords.of(StoreError("away")))
    for _ in range(2_000):
        now += LIMITS.longest_pause
        assert incidents.next([ailment], now) is not None
        incidents.acted("worker-1", now)
    assert incidents.open["worker-1"].due == now + LIMITS.longest_pause


@given(st.lists(st.tuples(st.floats(0.1, 90), st.booleans()), max_size=200))
def test_no_storm_whatever_happens(course: list[tuple[float, bool]]) -> None:
    """A process that dies again and again, with any pauses, is acted on no more often than the limits allow."""
    incidents, now, acted = Incidents(LIMITS), 0.0, []
    for seconds, ill in course:
        now += seconds
        if not ill:
            incidents.well("worker-1", now)
            continue
        action = incidents.next([dead()], now)
        if action is not None and action.strategy is not Strategy.ASK:
            acted.append(now)
            incidents.acted("worker-1", now)
    assert all(sum(at <= other < at + LIMITS.window for other in acted) <= LIMITS.most for at in acted)
    assert all(later - earlier >= LIMITS.pause for earlier, later in itertools.pairwise(acted))


def test_what_waits_for_a_store_is_started_again_once_and_no_person_is_asked() -> None:
    incidents, found = Incidents(LIMITS), []
    waits = Ailment("worker-1", Kind.WORKER, Symptom.UNREADY, places=frozenset({"milvus"}))
    for now in range(600):
        if (action := incidents.next([waits], float(now))) is not None:
            found.append(action.strategy)
            incidents.acted("worker-1", float(now))
    assert found == [Strategy.RESTART]
    stuck_now = Ailment("worker-1", Kind.WORKER, Symptom.STUCK, places=frozenset({"milvus"}))
    action = incidents.next([stuck_now], 700.0)  # the store is no excuse for everything
    assert action is not None and action.strategy is Strategy.FORCED


def given_up(incidents: Incidents, ailment: Ailment, now: float = 0.0) -> float:
    """Until a person is asked; when that was."""
    while (action := incidents.next([ailment], now)) is None or action.strategy is not Strategy.ASK:
        if action is not None:
            incidents.acted(ailment.program, now)
        now += 1
    return now


def test_what_was_given_up_is_tried_anew_when_the_cause_is_another_and_not_when_it_comes_again() -> None:
    incidents = Incidents(LIMITS)
    now = given_up(incidents, stuck()) + 1
    hung = Ailment("worker-1", Kind.WORKER, Symptom.HUNG)
    action = incidents.next([hung], now)
    assert action is not None and action.strategy is Strategy.FORCED
    incidents.acted("worker-1", now)
    now = given_up(incidents, hung, now) + 1
    assert incidents.next([stuck()], now + 10_000) is None, "that was given up before"
    assert incidents.next([hung], now + 10_000) is None


def test_what_was_given_up_is_tried_anew_when_it_was_well_for_a_while_in_one_go() -> None:
    incidents = Incidents(LIMITS)
    now = given_up(incidents, stuck())
    incidents.well("worker-1", now + 1)
    incidents.unwell("worker-1")  # not for long enough to be ill
    incidents.well("worker-1", now + LIMITS.quiet)
    assert incidents.next([stuck()], now + 1 + LIMITS.quiet) is None
    incidents.well("worker-1", now + 100)
    incidents.well("worker-1", now + 100 + LIMITS.quiet)
    action = incidents.next([stuck()], now + 101 + LIMITS.quiet)
    assert action is not None and action.strategy is Strategy.RESTART


def lost(place: str) -> Ailment:
    error = PositionLostError("gone")
    happened_at(error, place)
    return Ailment("worker-1", Kind.WORKER, Symptom.DEAD, LastWords.of(error))


def test_a_place_that_could_not_be_isolated_does_not_count_as_isolated() -> None:
    incidents, now = Incidents(LIMITS), 0.0
    for _ in range(LIMITS.attempts):
        action = incidents.next([lost("memory/1")], now)
        assert action is not None and (action.strategy, action.target) == (Strategy.ISOLATE, "memory/1")
        incidents.undone(action)
        incidents.acted("worker-1", now)
        now += 100
    action = incidents.next([lost("memory/1")], now)
    assert action is not None and action.strategy is Strategy.ASK, "tried often enough"


def test_a_place_that_was_isolated_is_left_to_a_person() -> None:
    incidents = Incidents(LIMITS)
    action = incidents.next([lost("memory/1")], 0.0)
    assert action is not None and action.strategy is Strategy.ISOLATE
    incidents.acted("worker-1", 0.0)
    action = incidents.next([lost("memory/1")], 100.0)
    assert action is not None and action.strategy is Strategy.ASK
    action = incidents.next([lost("memory/2")], 200.0)
    assert action is not None and action.strategy is Strategy.ISOLATE, "another partition is another cause"
