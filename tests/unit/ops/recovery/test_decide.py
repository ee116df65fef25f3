"""Which strategy an ailment asks for: by type, up the ladder, to a person in the end; never a blind restart."""

from __future__ import annotations

import pytest

from streams.errors import (
    ClusterAccessError,
    FencedError,
    InstanceFencedError,
    LogIntegrityError,
    OutdatedError,
    PositionLostError,
    StoreError,
)
from streams.last_words import LastWords, happened_at
from streams.ops.recovery.ailments import Ailment, Kind, Symptom
from streams.ops.recovery.decide import MISMATCH, Action, Strategy, decide
from streams.ops.recovery.incidents import Limits
from streams.runtime.fold import StateMismatchError

S = Strategy


def words(error: Exception, place: str = "memory/2") -> LastWords:
    if place:
        happened_at(error, place)
    return LastWords.of(error)


def dead(error: Exception | None, kind: Kind = Kind.WORKER, place: str = "memory/2", peers: int = 0) -> Ailment:
    return Ailment("it", kind, Symptom.DEAD, words(error, place) if error else None, peers=peers)


def ill(symptom: Symptom, kind: Kind = Kind.WORKER, *places: str, peers: int = 0) -> Ailment:
    return Ailment("it", kind, symptom, None, frozenset(places), peers)


FIRST: list[tuple[Ailment, Strategy]] = [
    (dead(None), S.FORCED),
    (dead(None, Kind.PRODUCER), S.FORCED),
    (dead(KeyError("a defect")), S.FORCED),
    (dead(StoreError("it is away")), S.FORCED),
    (dead(LogIntegrityError("altered")), S.ISOLATE),
    (dead(PositionLostError("a gap")), S.ISOLATE),
    (dead(LogIntegrityError("altered"), Kind.PRODUCER), S.ASK),
    (dead(LogIntegrityError("altered"), place=""), S.ASK),
    (dead(ClusterAccessError("connection timeout unavailable")), S.ASK),  # whatever its text says
    (dead(InstanceFencedError("another one has my name")), S.ASK),
    (dead(OutdatedError("topic", "newer")), S.ASK),
    (dead(StateMismatchError("not what the checkpoint says")), S.ROLLBACK),
    (ill(Symptom.HUNG), S.FORCED),
    (ill(Symptom.HUNG, peers=1), S.FAILOVER),
    (ill(Symptom.HUNG, Kind.PRODUCER, peers=1), S.FORCED),
    (ill(Symptom.HUNG, Kind.GATEWAY, peers=1), S.FORCED),
    (dead(None, Kind.OPS), S.FORCED),
    (dead(None, Kind.ALERTS), S.FORCED),
    (dead(FencedError("another watch of alerts has begun"), Kind.ALERTS, place=""), S.ASK),
    (ill(Symptom.HUNG, Kind.OPS, peers=1), S.FORCED),
    (ill(Symptom.UNREADY, Kind.OPS), S.RESTART),
    (ill(Symptom.UNREADY, Kind.ALERTS, "milvus"), S.RESTART),
    (ill(Symptom.UNREADY, Kind.GATEWAY, "milvus"), S.DEGRADE),
    (ill(Symptom.UNREADY, Kind.GATEWAY, "cassandra"), S.RESTART),
    (ill(Symptom.UNREADY, Kind.WORKER, "milvus"), S.RESTART),
    (ill(Symptom.UNREADY), S.RESTART),
    (ill(Symptom.STUCK), S.RESTART),
    (ill(Symptom.STUCK, Kind.WORKER, "node", peers=1), S.FAILOVER),
    (ill(Symptom.STUCK, Kind.WORKER, "node"), S.RESTART),
    (ill(Symptom.STUCK, Kind.PRODUCER), S.FORCED),
]


@pytest.mark.parametrize(("ailment", "strategy"), FIRST)
def test_the_first_choice(ailment: Ailment, strategy: Strategy) -> None:
    assert decide(ailment).strategy is strategy


def tried_in_turn(ailment: Ailment) -> list[Strategy]:
    """The first attempts, of which there are no more before a person is asked in any case."""
    tried: list[Strategy] = []
    while len(tried) < Limits().attempts and (action := decide(ailment, tried)).strategy is not S.ASK:
        tried.append(action.strategy)
    return tried


@pytest.mark.parametrize(
    ("ailment", "strategies"),
    [
        (ill(Symptom.UNREADY, Kind.GATEWAY, "milvus"), [S.DEGRADE, S.RESTART, S.FORCED]),
        (ill(Symptom.STUCK), [S.RESTART, S.FORCED]),
        (ill(Symptom.HUNG, peers=1), [S.FAILOVER, S.RESTART, S.FORCED]),
        (dead(KeyError("a defect")), [S.FORCED, S.FORCED, S.ISOLATE]),
        (dead(StoreError("away")), [S.FORCED, S.FORCED, S.FORCED]),
        (dead(None), [S.FORCED, S.FORCED, S.FORCED]),
        (dead(StateMismatchError("differs")), [S.ROLLBACK, S.FORCED, S.FORCED]),
    ],
)
def test_up_the_ladder_and_then_to_a_person(ailment: Ailment, strategies: list[Strategy]) -> None:
    assert tried_in_turn(ailment) == strategies


def test_a_partition_that_the_log_contradicts_is_left_alone_until_a_person_has_looked() -> None:
    assert decide(dead(LogIntegrityError("altered"))) == Action(S.ISOLATE, "it", "memory/2", "LogIntegrityError", None)


def test_a_second_place_is_left_alone_too_and_the_same_one_is_for_a_person() -> None:
    assert decide(dead(LogIntegrityError("altered")), apart={"graph/2"}).strategy is S.ISOLATE
    assert decide(dead(LogIntegrityError("altered")), apart={"memory/2"}).strategy is S.ASK


def test_one_with_a_defect_is_left_alone_for_five_minutes() -> None:
    action = decide(dead(KeyError("a defect")), [S.FORCED, S.FORCED])
    assert (action.target, action.seconds) == ("memory/2", 300)


def test_the_name_of_the_mismatch_is_that_of_the_type() -> None:
    assert StateMismatchError.__name__ == MISMATCH
