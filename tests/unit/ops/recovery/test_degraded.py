"""A part that is done without: used again when the process says that it answers, renewed as long as it is away."""

from __future__ import annotations

from streams.ops.recovery.decide import Action, Strategy
from streams.ops.recovery.degraded import Degraded, Next
from streams.ops.recovery.observe import Sight, missing
from streams.switches import VECTORS

AWAY = Sight(answers=True, live=True, without=frozenset({VECTORS}))
BACK = Sight(answers=True, live=True, without=frozenset({VECTORS}), back=frozenset({VECTORS}))
USED, SILENT = Sight(answers=True, live=True), Sight()


def degraded() -> Degraded:
    return Degraded(Action(Strategy.DEGRADE, "gateway", VECTORS, "away", 300.0), 0.0)


def test_it_is_taken_back_after_it_answered_for_a_while_in_one_go() -> None:
    it = degraded()
    looks = [(1, AWAY), (2, BACK), (4, BACK), (5, AWAY), (6, BACK), (8, BACK), (9, BACK)]
    assert [it.next(sight, now, 3.0) for now, sight in looks] == [Next.WAIT] * 6 + [Next.TAKE_BACK]


def test_a_process_that_says_nothing_brings_nothing_back() -> None:
    it = degraded()
    assert [it.next(SILENT, now, 3.0) for now in range(10)] == [Next.WAIT] * 10
    assert it.next(USED, 11, 3.0) is Next.WAIT  # it has not looked at the switch yet


def test_it_is_renewed_while_it_is_away_and_forgotten_where_the_switch_ended() -> None:
    it = degraded()
    assert it.next(AWAY, 149, 3.0) is Next.WAIT
    assert it.next(AWAY, 150, 3.0) is Next.RENEW
    assert it.next(SILENT, 299, 3.0) is Next.WAIT
    assert it.next(USED, 300, 3.0) is Next.OVER


def test_a_process_names_the_outside_parts_that_it_misses() -> None:
    assert missing("milvus: no answer within 2 s\nembedder: milvus is away\n") == {"milvus"}
    assert missing("embedding/3: closed: cassandra\n") == frozenset()
