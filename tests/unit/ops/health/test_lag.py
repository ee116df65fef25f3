"""Each rule of the lag verdict, and what the pipeline does to its own positions by design."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.ops.health.lag import STATUS, Commit, Lag, judge, worst_lag


def commits(*rows: tuple[int, int], step: float = 100.0) -> list[Commit]:
    """(offset, lag) at equal distances from 100 s."""
    return [Commit(step * at, offset, lag) for at, (offset, lag) in enumerate(rows, 1)]


GROWING = ((1000, 0), (2000, 50), (3000, 100), (4000, 150), (5000, 200))
BEHIND = tuple((offset, lag + 50) for offset, lag in GROWING)


@pytest.mark.parametrize(
    ("rows", "waiting", "now", "ends", "expected"),
    [
        pytest.param(GROWING, 200, 600, [5200], Lag.OK, id="nothing waited once in the window"),
        pytest.param(GROWING, 200, 900, [5200], Lag.OK, id="silent for exactly as long as the window"),
        pytest.param(GROWING, 200, 901, [5200], Lag.STOPPED, id="silent for longer, though nothing waited once"),
        pytest.param(BEHIND, 250, 1000, [5250], Lag.STOPPED, id="silent for longer, and behind all along"),
        pytest.param(BEHIND, 0, 1000, [5250], Lag.OK, id="nothing waits now, however long the silence"),
        pytest.param(GROWING, 1, 1000, [5001, 5000, 4990], Lag.OK, id="at the end a moment ago: what waits is new"),
        pytest.param(BEHIND, 900, 1000, [5900, 5600, 5300], Lag.STOPPED, id="not at the end at any of the newest looks"),
        pytest.param(
            ((1000, 0), *[(1000, n) for n in (50, 100, 150, 200)]), 200, 600, [], Lag.OK, id="still, but once at the end"
        ),
        pytest.param([(1000, n) for n in (100, 150, 200, 250, 300)], 300, 600, [], Lag.STALLED, id="still, and more waits"),
        pytest.param([(1000, 100)] * 5, 100, 600, [], Lag.STALLED, id="still, and as much waits"),
        pytest.param(BEHIND, 250, 600, [], Lag.WARNING, id="it moves, and more waits each time"),
        pytest.param([(n, 100) for n in (1000, 2000, 3000)], 100, 400, [], Lag.WARNING, id="it moves, and as much waits"),
        pytest.param([(1000, 50), (2000, 100), (3000, 90), (4000, 95)], 95, 500, [], Lag.OK, id="less waited once"),
        pytest.param([(1000, 100), (3000, 200), (2000, 1250), (2500, 900)], 900, 500, [], Lag.REWIND, id="it went back"),
        pytest.param([(1000, 0), (3000, 0), (500, 2500), (900, 2300)], 2300, 500, [], Lag.REWIND, id="back from the end"),
        pytest.param([(1000, 100), (3000, 200), (2000, 1250), (3000, 300)], 300, 500, [], Lag.OK, id="and came again"),
        pytest.param([(1000, 100)], 100, 9000, [], Lag.OK, id="one commit says nothing"),
        pytest.param([], 100, 100, [], Lag.OK, id="no commit says nothing"),
    ],
)
def test_each_rule(rows: list[tuple[int, int]], waiting: int, now: float, ends: list[int], expected: Lag) -> None:
    assert judge(commits(*rows), waiting, now, ends) is expected


def test_a_replay_goes_back_and_is_no_rewind() -> None:
    rows = commits((1000, 100), (3000, 200), (500, 2700), (900, 2400), (1500, 1900))
    assert judge(rows, 1900, 600) is Lag.REWIND
    ours = [replace(row, ours=row.offset == 500) for row in rows]
    assert judge(ours, 1900, 600) is Lag.OK


def test_after_a_replay_went_back_the_rules_begin_anew() -> None:
    """So the replay itself may stall, and what waited before it does not excuse that."""
    rows = commits((3000, 0), (3100, 0), (500, 2600), (500, 2700), (500, 2800))
    ours = [replace(row, ours=at == 2) for at, row in enumerate(rows)]
    assert judge(ours, 2800, 600) is Lag.STALLED
    assert judge(ours[:3], 2600, 350) is Lag.OK
    moving = [*ours[:3], Commit(400, 600, 2700), Commit(500, 700, 2900)]
    assert judge(moving, 2900, 600) is Lag.WARNING


def test_a_second_step_back_that_is_not_ours_is_a_rewind() -> None:
    rows = commits((3000, 100), (2000, 1100), (1000, 2100))
    assert judge([replace(row, ours=row.offset == 2000) for row in rows], 2100, 400) is Lag.REWIND


def test_a_reorganisation_being_followed_is_no_stall_and_no_stop() -> None:
    rows = commits(*[(1000, 100 + at) for at in range(5)])
    assert judge(rows, 200, 600) is Lag.STALLED
    assert judge(rows, 200, 600, rewinding=True) is Lag.OK
    assert judge(rows, 200, 5000) is Lag.STOPPED
    assert judge(rows, 200, 5000, rewinding=True) is Lag.OK


def test_only_what_stands_still_is_excused_while_rewinding() -> None:
    assert judge(commits((3000, 1), (1000, 2001), (1000, 2001)), 2001, 400, rewinding=True) is Lag.REWIND
    assert judge(commits(*BEHIND), 250, 600, rewinding=True) is Lag.WARNING


def test_the_group_is_as_bad_as_its_worst_partition() -> None:
    assert worst_lag([]) is Lag.OK
    assert worst_lag([Lag.OK, Lag.STALLED, Lag.WARNING]) is Lag.STALLED
    assert [STATUS[lag] for lag in Lag] == ["healthy", "degraded", "failed", "failed", "failed"]


@st.composite
def windows(draw: st.DrawFn) -> list[Commit]:
    count = draw(st.integers(1, 12))
    gaps = draw(st.lists(st.integers(1, 50), min_size=count, max_size=count))
    at, rows = 0, []
    for gap in gaps:
        at += gap
        rows.append(Commit(at, draw(st.integers(0, 30)), draw(st.integers(0, 5)), draw(st.booleans())))
    return rows


@given(windows(), st.integers(0, 5), st.integers(0, 1_000), st.integers(-1_000, 1_000), st.integers(0, 10_000))
def test_neither_the_clock_nor_the_beginning_of_the_log_matters(
    rows: list[Commit], waiting: int, since: int, clock: int, start: int
) -> None:
    now = rows[-1].at + since
    moved = [Commit(row.at + clock, row.offset + start, row.lag, row.ours) for row in rows]
    assert judge(moved, waiting, now + clock, [40 + start]) is judge(rows, waiting, now, [40])


@given(windows(), st.integers(0, 1_000))
def test_where_nothing_waits_all_is_well(rows: list[Commit], since: int) -> None:
    assert judge(rows, 0, rows[-1].at + since) is Lag.OK


@given(windows(), st.integers(1, 5), st.integers(0, 1_000))
def test_what_never_goes_back_is_no_rewind_and_what_goes_back_is_never_a_stall(
    rows: list[Commit], waiting: int, since: int
) -> None:
    said = judge(rows, waiting, rows[-1].at + since)
    falls = [later for earlier, later in pairwise(rows) if later.offset < earlier.offset]
    if not falls or all(fall.ours for fall in falls):
        assert said is not Lag.REWIND
    if falls and not any(fall.ours for fall in falls):
        assert said is not Lag.STALLED


@given(windows(), st.integers(1, 5))
def test_whoever_is_silent_long_enough_with_work_waiting_has_stopped(rows: list[Commit], waiting: int) -> None:
    assume(len(rows) > 1)
    silent = rows[-1].at + (rows[-1].at - rows[0].at) + 1
    assert judge(rows, waiting, silent) is Lag.STOPPED
    assert judge(rows, waiting, silent, [rows[-1].offset]) is not Lag.STOPPED


@given(windows(), st.integers(1, 5))
def test_one_moment_without_anything_waiting_excuses_slowness(rows: list[Commit], waiting: int) -> None:
    caught_up = [replace(row, lag=0, ours=False) for row in rows]
    assert judge(caught_up, waiting, rows[-1].at) in {Lag.OK, Lag.REWIND}
