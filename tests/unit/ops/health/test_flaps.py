"""Damping: when a failure is believed, when a recovery is, and what is said meanwhile."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.ops.health.finding import Finding, Status
from streams.ops.health.flaps import Flaps

BAD, GOOD, SO_SO = Finding("failed", "it is away"), Finding("healthy"), Finding("degraded", "slow")


def said(flaps: Flaps, *found: Finding) -> list[Status]:
    return [flaps.take(one).status for one in found]


def test_the_third_failure_in_a_row_is_believed_and_the_first_two_are_complaints() -> None:
    flaps = Flaps()
    first = flaps.take(BAD)
    assert (first.status, first.detail, first.score) == ("degraded", "it is away (failure 1 of 3)", 0.5)
    assert flaps.in_doubt
    assert said(flaps, BAD, BAD, BAD) == ["degraded", "failed", "failed"]
    assert not flaps.in_doubt


def test_one_success_does_not_mend_and_two_do() -> None:
    flaps = Flaps()
    said(flaps, BAD, BAD, BAD)
    first = flaps.take(GOOD)
    assert (first.status, first.detail, first.score) == ("failed", "well again for 1 of 2 looks", 0.0)
    assert flaps.in_doubt
    assert said(flaps, GOOD, GOOD) == ["healthy", "healthy"]
    assert not flaps.in_doubt


def test_flapping_is_never_believed_either_way() -> None:
    assert said(Flaps(), *[BAD, BAD, GOOD] * 5) == ["degraded", "degraded", "healthy"] * 5
    flaps = Flaps()
    said(flaps, BAD, BAD, BAD)
    assert said(flaps, *[GOOD, BAD] * 5) == ["failed"] * 10


def test_a_complaint_is_passed_on_and_counts_as_an_answer() -> None:
    flaps = Flaps()
    assert said(flaps, BAD, BAD, SO_SO, BAD) == ["degraded"] * 4
    said(flaps, BAD, BAD)
    assert said(flaps, SO_SO, SO_SO) == ["failed", "degraded"]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_what_is_said_changes_only_after_so_many_looks_in_a_row(looks: list[bool], fail: int, recover: int) -> None:
    flaps = Flaps(fail, recover)
    failed = False
    for at, good in enumerate(looks):
        now = flaps.take(GOOD if good else BAD).status
        if (now == "failed") != failed:
            needed = recover if failed else fail
            assert looks[at + 1 - needed : at + 1] == [failed] * needed
            failed = not failed
        assert good or now != "healthy"
