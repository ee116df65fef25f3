"""The fold of windows: a function of the set of samples, not of what order they came in, how often, or across which crash."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import SchemaError
from streams.ops.reports import MetricReport, MetricSample, Window
from streams.ops.values import quantile, trend, windows_of
from streams.ops.window_state import cell_bytes, cell_of, summary_bytes, summary_of_bytes
from streams.ops.windows import (
    CELL,
    HOUR,
    KEPT_MS,
    LATE_MS,
    MINUTE,
    SIZES,
    Cell,
    History,
    Limits,
    Row,
    Summary,
    key_of,
    merge,
    parsed,
    row_of,
    single,
    summary_of,
)

T0 = 1_700_000_000_000 - 1_700_000_000_000 % (HOUR * 1000) + HOUR * 1000
COUNTER, GAUGE = (
    key_of(MetricSample("monmouth_c", "COUNTER", {}, 0)),
    key_of(MetricSample("monmouth_g", "GAUGE", {"a": "b"}, 0)),
)
PROCESS = {"component": "worker", "instance": "w"}


def bucket(le: str) -> str:
    return key_of(MetricSample("monmouth_h_bucket", "HISTOGRAM", {"le": le}, 0))


BUCKETS = {"1.0": bucket("1.0"), "2.0": bucket("2.0"), "+Inf": bucket("+Inf")}
SUM, COUNT = (key_of(MetricSample(f"monmouth_h_{part}", "HISTOGRAM", {}, 0)) for part in ("sum", "count"))


def row(at: float, started: int = 1, *, whole: bool = True, **values: float) -> Row:
    names = {"c": COUNTER, "g": GAUGE}
    return Row(T0 + int(at * 1000), started, whole, {names.get(name, name): value for name, value in values.items()})


@st.composite
def processes(draw: Any) -> list[Row]:
    """Reports of a process that may have begun again some times, a second or more apart, in the order of time."""
    at, started, rows, counters = 0.0, 1, [], {"c": 0.0, "d": 0.0}
    for _ in range(draw(st.integers(1, 25))):
        at += draw(st.sampled_from([1.0, 1.0, 1.0, 4.5, 9.0, 31.0]))
        if at > LATE_MS / 1000:  # else the first may be too late when it comes last
            break
        if draw(st.integers(0, 9)) == 0:
            started, counters = started + 1, {"c": 0.0, "d": 0.0}
        for name in counters:
            counters[name] += draw(st.integers(0, 5))
        shown = {name: value for name, value in counters.items() if value}
        values = {COUNTER if name == "c" else 'c["monmouth_d",{}]': value for name, value in shown.items()}
        rows.append(Row(T0 + int(at * 1000), started, draw(st.booleans()), {**values, GAUGE: draw(st.floats(-1e6, 1e6))}))
    return rows


def everything(history: History) -> dict[tuple[int, int], list[Window]]:
    return {
        (seconds, start): list(windows_of(PROCESS, history, seconds, start))
        for seconds in SIZES
        for start in sorted(history.starts(seconds))
    }


def fold(rows: list[Row]) -> History:
    history = History()
    for one in rows:
        assert not history.take(one).late
    return history


@given(processes(), st.randoms(use_true_random=False), st.data())
def test_windows_are_a_function_of_the_set_of_samples(rows: list[Row], dice: random.Random, data: Any) -> None:
    """Whatever the order, however often each comes, and wherever who folds was killed and began from its tables."""
    wanted = everything(fold(rows))
    arrivals = rows + data.draw(st.lists(st.sampled_from(rows), max_size=10))
    dice.shuffle(arrivals)
    assert everything(fold(arrivals)) == wanted
    cut = data.draw(st.integers(1, len(arrivals)))
    before = fold(arrivals[:cut])
    cells = {start: cell_of(cell_bytes(cell)) for start, cell in before.cells.items()}
    minutes = {start: summary_of_bytes(summary_bytes(before.minute(start))) for start in before.starts(MINUTE)}
    after = History(cells, minutes)
    for one in arrivals[data.draw(st.integers(0, cut)) :]:  # from an offset that was committed before, or just now
        after.take(one)
    assert everything(after) == wanted


@given(processes())
def test_what_a_counter_grew_by_is_in_the_windows_exactly_once(rows: list[Row]) -> None:
    grown, last = 0.0, rows[0]
    for one in rows[1:]:
        was, now = last.values.get(COUNTER), one.values.get(COUNTER)
        began = one.started_ms != last.started_ms
        if now is not None:
            known = was is not None or began or last.whole
            grown += 0 if not known else now - (was or 0) if not began and now >= (was or 0) else now
        last = one
    history = fold(rows)
    for seconds in SIZES:
        found = [
            window.values["increase"]
            for start in history.starts(seconds)
            for window in windows_of(PROCESS, history, seconds, start)
            if window.name == "monmouth_c"
        ]
        assert sum(found) == pytest.approx(grown)


@given(st.lists(processes().map(lambda rows: rows[:4]), min_size=3, max_size=3))
def test_merging_is_associative(parts: list[list[Row]]) -> None:
    every = [one for part in parts for one in part]
    rows = [Row(T0 + 1000 * at, one.started_ms, one.whole, one.values) for at, one in enumerate(every)]
    cut = len(parts[0]), len(parts[0]) + len(parts[1])
    a, b, c = (summary_of([single(one) for one in some]) for some in (rows[: cut[0]], rows[cut[0] : cut[1]], rows[cut[1] :]))
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))
    assert left.growths.keys() == right.growths.keys()
    for key, growth in left.growths.items():
        assert growth.grown == pytest.approx(right.growths[key].grown)
    assert (left.first, left.last, left.rows) == (right.first, right.last, right.rows)


def only(history: History, seconds: int, start: int, name: str) -> Window:
    (found,) = [one for one in windows_of(PROCESS, history, seconds, T0 + start * 1000) if one.name == name]
    return found


def test_a_rate_covers_the_time_since_the_last_sample_before_the_window() -> None:
    history = fold([row(9, c=100), row(10, c=104), row(15, c=110), row(19, c=130), row(20, c=131)])
    window = only(history, CELL, 10, "monmouth_c")
    assert (window.kind, window.closed, window.samples, window.labels) == ("rate", True, 3, PROCESS)
    assert window.values["increase"] == 30
    assert window.values["rate"] == 3
    assert not only(history, CELL, 20, "monmouth_c").closed
    assert only(history, MINUTE, 0, "monmouth_c").values["increase"] == 31


def test_a_process_that_began_again_grew_from_zero() -> None:
    history = fold([row(1, c=100), row(2, c=3, started=2), row(3, c=4, started=2)])
    assert only(history, CELL, 0, "monmouth_c").values["increase"] == 4
    higher = fold([row(1, c=5), row(2, c=50, started=2)])
    assert only(higher, CELL, 0, "monmouth_c").values["increase"] == 50
    lower = fold([row(1, c=5), row(2, c=2)])
    assert only(lower, CELL, 0, "monmouth_c").values["increase"] == 2


def test_a_series_that_was_not_there_before_grew_from_zero_unless_samples_were_left_out() -> None:
    assert only(fold([row(1), row(2, c=7)]), CELL, 0, "monmouth_c").values["increase"] == 7
    assert only(fold([row(1, whole=False), row(2, c=7)]), CELL, 0, "monmouth_c").values["increase"] == 0
    first = only(fold([row(1, c=7)]), CELL, 0, "monmouth_c").values
    assert first == {"increase": 0}, "what grew before anybody looked is in no window, and there is no rate without time"


def test_a_gauge_has_its_extremes_mean_last_and_slope() -> None:
    window = only(fold([row(at, g=2.0 * at) for at in range(5)]), CELL, 0, "monmouth_g")
    assert window.values == {"min": 0, "max": 8, "mean": 4, "last": 8, "slope": pytest.approx(2)}
    assert window.labels == {"a": "b", **PROCESS}


def test_an_own_label_by_the_name_of_one_of_the_process_keeps_its_value_under_another() -> None:
    history = fold([Row(T0 + 1000, 1, True, {key_of(MetricSample("monmouth_g", "GAUGE", {"component": "lmdb"}, 0)): 1.0})])
    assert only(history, CELL, 0, "monmouth_g").labels == {"exported_component": "lmdb", **PROCESS}


def test_percentiles_are_of_what_was_observed_in_the_window() -> None:
    def observed(at: float, low: float, high: float) -> Row:
        values = {
            BUCKETS["1.0"]: low,
            BUCKETS["2.0"]: low + high,
            BUCKETS["+Inf"]: low + high,
            SUM: low + high,
            COUNT: low + high,
        }
        return row(at, **values)

    history = fold([observed(1, 1000, 0), observed(2, 1000, 50), observed(12, 1000, 50)])
    values = only(history, CELL, 0, "monmouth_h").values
    assert (values["count"], values["mean"], values["rate"]) == (50, 1, 50)
    assert (values["p50"], values["p99"]) == (pytest.approx(1.5), pytest.approx(1.99))
    assert only(history, CELL, 10, "monmouth_h").values == {"count": 0, "rate": 0}


def test_a_histogram_without_its_sum_has_no_mean() -> None:
    history = fold([row(1, **{COUNT: 0.0}), row(2, **{COUNT: 5.0})])
    assert only(history, CELL, 0, "monmouth_h").values == {"count": 5, "rate": 5}


@pytest.mark.parametrize(
    ("share", "buckets", "wanted"),
    [
        (0.5, [(1.0, 10.0), (float("inf"), 10.0)], 0.5),
        (0.99, [(1.0, 1.0), (float("inf"), 10.0)], 1.0),
        (0.5, [(-1.0, 10.0), (float("inf"), 10.0)], -1.0),
        (0.5, [(0.0, 0.0), (4.0, 10.0), (float("inf"), 10.0)], 2.0),
    ],
)
def test_quantiles_as_prometheus_reads_them(share: float, buckets: list[tuple[float, float]], wanted: float) -> None:
    assert quantile(share, buckets) == pytest.approx(wanted)


def test_a_trend_takes_three_points_at_different_times() -> None:
    assert trend([(0, 1), (1, 2)]) == {}
    assert trend([(1, 1), (1, 2), (1, 3)]) == {}
    assert trend([(10, 1), (11, 0), (12, -1)]) == {"slope": -1}


def test_what_is_too_late_is_refused_and_what_is_not_changes_the_windows_it_lies_in_and_the_next() -> None:
    history = fold([row(0, c=1), row(30, c=9), row(100, c=20)])
    assert history.take(row(100 - LATE_MS / 1000 - 0.001, c=1)).late
    assert history.take(row(5, c=4)).changed == {
        (CELL, T0),
        (CELL, T0 + 30_000),
        (MINUTE, T0),
        (MINUTE, T0 + 60_000),
        (HOUR, T0),
    }
    assert history.take(row(5, c=4)).changed == frozenset()
    assert only(history, CELL, 0, "monmouth_c").values["increase"] == 3
    assert only(history, CELL, 30, "monmouth_c").values["increase"] == 5


def test_what_nothing_can_change_any_more_is_let_go() -> None:
    history = History()
    for at in range(0, 4 * HOUR, 30):
        history.take(row(at, c=at))
        history.forget()
        assert len(history.cells) <= KEPT_MS[CELL] / 30_000 + 1
        assert len(history.starts(MINUTE)) <= KEPT_MS[MINUTE] / 60_000 + 1
    assert only(history, HOUR, 3 * HOUR, "monmouth_c").values["rate"] == 1


def test_series_and_rows_of_a_cell_are_bounded_whatever_comes_first() -> None:
    rows = [Row(T0 + at, 1, True, {f'g["{(7 * at + n) % 40:02}",{{}}]': 1.0 for n in range(5)}) for at in range(9)]
    one, other = Cell(limits=Limits(series=12, rows=6)), Cell(limits=Limits(series=12, rows=6))
    refused = [one.add(each) for each in rows]
    for each in reversed(rows):
        other.add(each)
    assert one.rows == other.rows
    assert len(one.rows) == 6
    assert len({key for each in one.rows.values() for key in each.values}) <= 12
    assert any(refused)


@given(st.text(), st.dictionaries(st.text(), st.text()), st.sampled_from(["GAUGE", "COUNTER", "HISTOGRAM"]))
def test_a_key_tells_name_and_labels(name: str, labels: dict[str, str], kind: Any) -> None:
    assert parsed(key_of(MetricSample(name, kind, labels, 0))) == (kind[0].lower(), name, tuple(sorted(labels.items())))


def test_what_is_no_number_is_no_sample() -> None:
    samples = (
        MetricSample("a", "GAUGE", {}, float("nan")),
        MetricSample("b", "GAUGE", {}, float("inf")),
        MetricSample("c", "GAUGE", {}, 1),
    )
    assert row_of(MetricReport("w", "i", 5, samples, dropped=1)) == Row(5, 0, False, {'g["c",{}]': 1})


@pytest.mark.parametrize("value", [b"", b"\x01junk", b"\x02", cell_bytes(Cell([row(1, c=1)]))[:-3]])
def test_bytes_that_are_no_state_are_refused(value: bytes) -> None:
    for read in (cell_of, summary_of_bytes):
        with pytest.raises(SchemaError):
            read(value)


def test_one_kind_of_state_is_not_the_other() -> None:
    minute: Summary = summary_of([single(row(1, c=1))])
    with pytest.raises(SchemaError):
        cell_of(summary_bytes(minute))
    with pytest.raises(SchemaError):
        summary_of_bytes(cell_bytes(Cell([row(1, c=1)])))
