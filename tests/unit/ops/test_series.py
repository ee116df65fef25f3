"""The fold of reports into a table: what it refuses, what it lets go, and that it goes on from the table alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from streams.ops import series
from streams.ops.reports import MOST_LABELS, MetricReport, MetricSample, Window
from streams.ops.series import AHEAD_MS, REFUSED, SeriesFold
from streams.ops.windows import CELL, HOUR, KEPT_MS, LATE_MS, MINUTE, Limits

T0 = 1_700_000_000_000 - 1_700_000_000_000 % (HOUR * 1000) + HOUR * 1000
LIMITS = Limits(series=3)


def report(at: float, instance: str = "w", **values: float) -> MetricReport:
    samples = tuple(MetricSample(f"monmouth_{name}_total", "COUNTER", {}, value) for name, value in values.items())
    return MetricReport("worker", instance, T0 + int(at * 1000), samples, started_ms=1)


def take(fold: SeriesFold, report: MetricReport, partition: int = 0) -> list[Window]:
    return fold.take(partition, report.to_value(), report.at_ms + 5)


@pytest.fixture
def refused() -> Callable[[str], float]:
    before: dict[str, float] = {}

    def count(reason: str) -> float:
        value = REFUSED.labels(reason)._value.get()
        return value - before[reason]

    for reason in ("record", "future", "late", "series", "process", "state"):
        before[reason] = REFUSED.labels(reason)._value.get()
    return count


def test_closed_windows_are_said_once_and_open_ones_where_they_changed() -> None:
    fold = SeriesFold({}, 9, LIMITS)
    said = [window for at in range(25) for window in take(fold, report(at, moves=at, rests=7))]
    closed = [(one.name, one.start_ms - T0, one.values["increase"]) for one in said if one.closed and one.seconds == CELL]
    assert sorted(closed) == [
        ("monmouth_moves_total", 0, 9),
        ("monmouth_moves_total", 10_000, 10),
        ("monmouth_rests_total", 0, 0),
        ("monmouth_rests_total", 10_000, 0),
    ]
    opened = [one for one in said if not one.closed and one.seconds == CELL and one.start_ms == T0]
    assert [one.name for one in opened].count("monmouth_moves_total") == 5  # at 0, 2, 4, 6, 8
    assert len({tuple(one.values.items()) for one in opened if one.name == "monmouth_rests_total"}) == len(
        [one for one in opened if one.name == "monmouth_rests_total"]
    )


@pytest.mark.parametrize(
    "sample",
    [
        MetricSample("monmouth_x_bucket", "HISTOGRAM", {"le": "much"}, 1.0),
        MetricSample("monmouth_x_bucket", "HISTOGRAM", {"le": "nan"}, 1.0),
        MetricSample("monmouth_x", "GAUGE", {f"label{at}": "x" for at in range(MOST_LABELS)}, 1.0),
        MetricSample("monmouth_x", "GAUGE", {}, 1.7e308),
        MetricSample("monmouth_x_total", "COUNTER", {}, 1.7e308),
    ],
    ids=lambda sample: sample.name,
)
def test_a_sample_that_no_window_can_say_stops_nothing(sample: MetricSample) -> None:
    """It would come again each time the application starts."""
    fold, said = SeriesFold({}, 9, LIMITS), list[Window]()
    for at in range(3 * CELL):
        one = report(at, moves=at)
        count = MetricSample("monmouth_x_count", "HISTOGRAM", {}, float(at))
        moved = replace(sample, value=sample.value * (at % 2))
        said += take(fold, replace(one, samples=(*one.samples, count, moved)))
    assert {Window.from_value(window.to_value()).name for window in said} >= {"monmouth_moves_total"}
    assert all(math.isfinite(value) for window in said for value in window.values.values())


def test_what_is_refused_is_counted_and_changes_nothing(refused: Callable[[str], float]) -> None:
    table: dict[bytes, bytes] = {}
    fold = SeriesFold(table, 2, LIMITS)
    take(fold, report(500, a=1))
    kept = dict(table)
    assert fold.take(0, b"junk", T0) == []
    assert fold.take(0, None, T0) == []
    ahead = report(900, "f", a=1)
    assert fold.take(0, ahead.to_value(), ahead.at_ms - AHEAD_MS - 1) == []
    assert take(fold, report(500 - LATE_MS / 1000 - 1, a=0)) == []
    assert table == kept
    take(fold, report(500, "second", a=1))
    assert take(fold, report(500, "third", a=1)) == []
    take(fold, report(501, a=1, b=1, c=1, d=1, e=1))
    assert [refused(reason) for reason in ("record", "future", "late", "process", "series")] == [2, 1, 1, 1, 2]


def test_a_fold_that_begins_from_the_table_says_the_same() -> None:
    table: dict[bytes, bytes] = {}
    every = [report(at, a=at * 3) for at in range(150)]
    whole = SeriesFold({}, 9, LIMITS)
    wanted = {one.key: one for each in every for one in take(whole, each) if one.closed}
    first, said = SeriesFold(table, 9, LIMITS), {}
    for each in every[:77]:
        said |= {one.key: one for one in take(first, each) if one.closed}
    lost = [key for key, one in said.items() if one.start_ms >= T0 + 60_000]  # never written: it was killed
    for key in lost:
        del said[key]
    second = SeriesFold(table, 9, LIMITS)
    for each in every[70:]:  # what was not acknowledged comes again
        said |= {one.key: one for one in take(second, each) if one.closed}
    assert said == wanted
    second.forget()
    again = {one.key: one for one in take(second, every[-1]) if one.closed}
    assert {one.start_ms for one in again.values() if one.seconds == CELL} >= {T0 + 60_000, T0 + 130_000}
    assert all(wanted[key] == one for key, one in again.items())


def test_state_that_cannot_be_read_is_counted_and_passed_over(refused: Callable[[str], float]) -> None:
    table = {b"0/worker/w|10|%d" % T0: b"junk"}
    assert take(SeriesFold(table, 9, LIMITS), report(5, a=1))
    assert refused("state") == 1


def test_a_process_that_said_nothing_for_hours_is_taken_out_of_its_own_partition_only() -> None:
    table: dict[bytes, bytes] = {}
    fold = SeriesFold(table, 9, LIMITS)
    take(fold, report(0, "old", a=1), partition=0)
    take(fold, report(0, "elsewhere", a=1), partition=1)
    take(fold, report(KEPT_MS[MINUTE] / 1000 + 60, a=1), partition=0)
    assert not [key for key in table if b"/old|" in key]
    assert [key for key in table if b"/elsewhere|" in key]
    take(fold, report(KEPT_MS[MINUTE] / 1000 + 120, "other", a=1), partition=1)
    assert not [key for key in table if b"/elsewhere|" in key]


def test_after_a_long_silence_the_window_before_it_is_closed_with_all_that_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(series, "windows_of", lambda *window: asked.append(window[2:]) or iter(()))
    fold = SeriesFold({}, 9, LIMITS)
    take(fold, report(5, a=1))
    take(fold, report(9_000, a=2))
    assert {(CELL, T0), (MINUTE, T0), (HOUR, T0)} <= set(asked)
