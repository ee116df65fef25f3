"""From when to when a memory is true: the cases, one by one."""

from __future__ import annotations

from typing import Any

from schemas.defaults import plain_edge, plain_memory
from schemas.records import EdgeKind, Memory
from streams.core.moment import Moment
from streams.core.validity import Validity, validities

A, B, C, D = (bytes([n]) * 32 for n in range(1, 5))


def said(memory_id: bytes, at: int, **fields: Any) -> Memory:
    return {**plain_memory(memory_id, bytes(20), "SEMANTIC", "COMMAND", at), "content": memory_id, **fields}  # type: ignore[typeddict-item]


def home(memory_id: bytes, at: int, **fields: Any) -> Memory:
    return said(memory_id, at, subject="alice", predicate="lives in", **fields)


def edge(kind: EdgeKind, target: bytes, until: int | None = None) -> Any:
    return {**plain_edge(kind, target), "until": until}


def test_what_says_nothing_of_time_is_true_from_its_timestamp_on() -> None:
    (validity,) = validities([said(A, 5)]).values()
    assert validity == Validity(5)
    assert [validity.at(time) for time in (4, 5, 1_000)] == [False, True, True]


def test_an_interval_of_its_own() -> None:
    (validity,) = validities([said(A, 5, valid_from=1, valid_to=3)]).values()
    assert validity == Validity(1, 3)
    assert [validity.at(time) for time in (0, 1, 2, 3)] == [False, True, True, False]


def test_what_supersedes_ends_it_when_it_starts() -> None:
    found = validities([said(A, 5), said(B, 9, edges=[edge("SUPERSEDES", A)])])
    assert found == {A: Validity(5, 9, superseded_by=(B,)), B: Validity(9)}


def test_merging_and_invalidating_name_the_time() -> None:
    found = validities([said(A, 5), said(B, 9, edges=[edge("MERGES", A, 8)]), said(C, 9, edges=[edge("INVALIDATES", A, 7)])])
    assert found[A] == Validity(5, 7, superseded_by=(B,), invalidated_by=(C,))


def test_a_link_ends_nothing() -> None:
    assert validities([said(A, 5), said(B, 9, edges=[edge("LINK", A)])])[A] == Validity(5)


def test_the_next_statement_about_the_same_thing_ends_it() -> None:
    found = validities([home(A, 5), home(B, 9), home(C, 7), said(D, 6, subject="alice", predicate="likes")])
    assert found[A] == Validity(5, 7, superseded_by=(C,))
    assert found[C] == Validity(7, 9, superseded_by=(B,))
    assert found[B] == Validity(9)
    assert found[D] == Validity(6)


def test_what_is_learned_late_may_have_been_true_before() -> None:
    """Told at 20 that she lived elsewhere from 3 to 7: what was said at 5 starts at 5 all the same."""
    found = validities([home(A, 5), home(B, 20, valid_from=3, valid_to=7)])
    assert found == {A: Validity(5), B: Validity(3, 5, superseded_by=(A,))}


def test_statements_that_start_together_contradict_and_the_last_known_counts() -> None:
    found = validities([home(A, 5, valid_from=1), home(B, 9, valid_from=1), home(C, 7, valid_from=1, content=B)])
    assert found[A] == Validity(1, 1, superseded_by=(B,), contradicts=(B, C))
    assert found[B] == Validity(1, contradicts=(A,))
    assert found[C] == Validity(1, contradicts=(A,))


def test_the_same_said_twice_is_no_contradiction() -> None:
    found = validities([home(A, 5, valid_from=1, content=b"x"), home(B, 9, valid_from=1, content=b"x")])
    assert found == {A: Validity(1), B: Validity(1)}


def test_what_ends_before_it_starts_is_never_true() -> None:
    found = validities([said(A, 5), said(B, 9, edges=[edge("INVALIDATES", A, 2)])])
    assert found[A] == Validity(5, 5, invalidated_by=(B,))
    assert not any(found[A].at(time) for time in range(10))


def test_a_clock_that_runs_ahead_delays_nothing() -> None:
    old, new = home(A, 5), home(B, 1_000)
    now = Moment(10)
    assert set(now.shown([old, new])) == {B}
    assert set(Moment(10, valid_at=10).shown([old, new])) == {A}
    assert now.shown([home(C, 1_000), home(B, 2_000)]) == {B: Validity(10)}


def test_what_starts_later_by_its_own_word_is_not_shown_yet() -> None:
    assert Moment(10).shown([said(A, 5, valid_from=11)]) == {}
    assert Moment(11).shown([said(A, 5, valid_from=11)]) == {A: Validity(11)}


def test_known_by_block_and_by_time() -> None:
    def block(number: int) -> dict[str, Any]:
        return {"block": {"number": number, "hash": bytes(32), "parent": bytes(32)}}

    world = [home(A, 5, **block(1)), home(B, 9, **block(2)), said(C, 7)]
    assert set(Moment(99).shown(world)) == {B, C}
    assert set(Moment(99, known_block=1, known_time=5).shown(world)) == {A}
    assert set(Moment(99, known_block=1, known_time=7).shown(world)) == {A, C}
    assert set(Moment(99, known_time=8).shown(world)) == {A, C}
    assert set(Moment(99, known_block=2, known_time=9).shown(world)) == {B, C}
    assert Moment(99, known_time=9, valid_at=6).shown(world) == {A: Validity(5, 9, superseded_by=(B,))}
    assert Moment(99, known_time=5, valid_at=9).shown(world) == {A: Validity(5)}
    assert set(Moment(99, invalid_too=True).shown(world)) == {A, B, C}
