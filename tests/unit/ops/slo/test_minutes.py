"""Minutes of one process: every event counts once, whatever comes twice, restarts or is missing."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import SchemaError
from streams.metrics import REGISTRY
from streams.ops.reports import ENDED, MetricReport, MetricSample, Window
from streams.ops.slo.budget import Ledger
from streams.ops.slo.fold import SloFold
from streams.ops.slo.minutes import HALF_MS, MINUTE_MS, SECONDS, Half, Minutes
from streams.ops.slo.objectives import objectives_of

OBJECTIVES = objectives_of('[[objective]]\nname = "a"\ntarget = 0.9\ntotal = "t_total"\nbad = "b_total"\n', "here")
BEGIN = 1_700_000_000_000 // HALF_MS * HALF_MS
NONE = b'{"at_ms":1,"started_ms":1,"counted":{"a":[NaN,1.0]},"halves":[]}'


def report(
    at_ms: int, total: float, bad: float = 0.0, started_ms: int = BEGIN, *, last: bool = False, name: str = "w"
) -> MetricReport:
    samples = [MetricSample("monmouth_t_total", "COUNTER", {}, total), MetricSample("monmouth_b_total", "COUNTER", {}, bad)]
    if last:
        samples.append(MetricSample(ENDED, "GAUGE", {}, 1))
    return MetricReport("worker", name, at_ms, tuple(samples), started_ms)


def ledger_of(windows: list[Window]) -> Ledger:
    found = Ledger()
    for window in windows:
        found.take(Window.from_value(window.to_value()))
    return found


def sums(windows: list[Window]) -> tuple[float, float, int]:
    count = ledger_of(windows).count("a", 0, 1 << 62)
    return count.total, count.bad, count.minutes


def test_growth_counts_for_the_minute_it_was_seen_in() -> None:
    minutes = Minutes()
    for at, total, bad in ((1_000, 5, 1), (2_000, 7, 1), (MINUTE_MS + 1_000, 8, 2), (5 * MINUTE_MS, 8, 2)):
        minutes.take(report(BEGIN + at, total, bad), OBJECTIVES)
    half = minutes.halves["a"][BEGIN]
    assert (half.total[:6], half.bad[:2], half.known) == ([7, 1, 0, 0, 0, 0], [1, 1], 0b100011)


def test_a_restart_is_no_breach_and_loses_nothing() -> None:
    minutes = Minutes()
    minutes.take(report(BEGIN + 1_000, 10, 2), OBJECTIVES)
    minutes.take(report(BEGIN + 3_000, 4, 0, started_ms=BEGIN + 2_000), OBJECTIVES)
    minutes.take(report(BEGIN + 4_000, 1, 0, started_ms=BEGIN + 2_000), OBJECTIVES)
    assert (sum(minutes.halves["a"][BEGIN].total), sum(minutes.halves["a"][BEGIN].bad)) == (15, 2)


def test_what_the_former_process_counted_is_not_taken_from_a_counter_that_appears_late() -> None:
    minutes = Minutes()
    minutes.take(report(BEGIN + 1_000, 10, 2), OBJECTIVES)
    minutes.take(MetricReport("worker", "w", BEGIN + 3_000, (), BEGIN + 2_000), OBJECTIVES)
    minutes.take(report(BEGIN + 4_000, 30, 20, started_ms=BEGIN + 2_000), OBJECTIVES)
    assert (sum(minutes.halves["a"][BEGIN].total), sum(minutes.halves["a"][BEGIN].bad)) == (40, 22)


def test_what_an_old_process_counted_before_it_was_seen_is_left_out() -> None:
    minutes = Minutes()
    minutes.take(report(BEGIN + 1_000, 1e6, 1e5, started_ms=BEGIN - 1_000_000), OBJECTIVES)
    minutes.take(report(BEGIN + 2_000, 1e6 + 3, 1e5 + 1, started_ms=BEGIN - 1_000_000), OBJECTIVES)
    assert (sum(minutes.halves["a"][BEGIN].total), sum(minutes.halves["a"][BEGIN].bad)) == (3, 1)


def test_state_and_windows_say_all() -> None:
    minutes = Minutes()
    minutes.take(report(BEGIN + 1_000, 5, 1), OBJECTIVES)
    assert Minutes.from_bytes(minutes.to_bytes()) == minutes
    half = minutes.halves["a"][BEGIN]
    window = half.window("a", {}, BEGIN, BEGIN + 1_000)
    assert Half.of(Window.from_value(window.to_value())) == half
    assert not window.closed
    assert half.window("a", {}, BEGIN, BEGIN + HALF_MS).closed
    full = Half([1.5] * 30, [0.5] * 30, (1 << 30) - 1)
    assert Half.of(Window.from_value(full.window("a", {}, BEGIN, BEGIN).to_value())) == full, "it fits a record"


@pytest.mark.parametrize("value", [b"", b"{}", b"[1]", b'{"at_ms":1,"started_ms":1,"counted":{},"halves":[1]}', NONE])
def test_a_state_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(SchemaError):
        Minutes.from_bytes(value)


def test_a_window_that_is_no_half_hour_is_refused() -> None:
    for window in (
        Window("rate", "a", {}, SECONDS, BEGIN, BEGIN, closed=False, samples=1),
        Window("slo", "a", {}, 60, BEGIN, BEGIN, closed=False, samples=1),
        Window("slo", "a", {}, SECONDS, BEGIN + 1, BEGIN, closed=False, samples=1),
        Window("slo", "a", {}, SECONDS, BEGIN, BEGIN, closed=False, samples=1, values={"known": 2.0**31}),
    ):
        with pytest.raises(SchemaError):
            Ledger().take(window)


@dataclass(frozen=True)
class Life:
    """What a process does: (milliseconds, events, bad ones, whether it begins anew before) a report."""

    steps: list[tuple[int, int, int, bool]]

    def reports(self) -> list[MetricReport]:
        found, at, total, bad, started = [report(BEGIN + 1, 0)], BEGIN + 1, 0, 0, BEGIN
        for wait, events, failed, anew in self.steps:
            at += wait
            if anew:
                total, bad, started = 0, 0, at
            total, bad = total + events, bad + min(failed, events)
            found.append(report(at, total, bad, started))
        return [*found, report(at + 1, total, bad, started, last=True)]

    def totals(self) -> tuple[int, int]:
        return sum(step[1] for step in self.steps), sum(min(step[2], step[1]) for step in self.steps)


LIVES = st.builds(
    Life,
    st.lists(st.tuples(st.integers(1, 400_000), st.integers(0, 20), st.integers(0, 5), st.booleans()), min_size=1, max_size=30),
)


@given(LIVES, st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8)), max_size=5))
def test_every_event_counts_once_whatever_is_redelivered(life: Life, crashes: list[tuple[int, int]]) -> None:
    """The worker dies again and again: what was not acknowledged comes again, and memory is gone, but not the table."""
    reports = [item.to_value() for item in life.reports()]
    table: dict[bytes, bytes] = {}
    said: list[Window] = []
    at = 0
    for records, again in [*crashes, (len(reports), 0)]:
        fold = SloFold(table, OBJECTIVES, 100)
        for value in reports[at : at + records]:
            said += fold.take(0, value, 1 << 62)
        at = max(0, min(at + records, len(reports)) - again)
    once: list[Window] = []
    plain = SloFold({}, OBJECTIVES, 100)
    for value in reports:
        once += plain.take(0, value, 1 << 62)
    total, bad, minutes = sums(said)
    assert (total, bad) == life.totals()
    assert (total, bad, minutes) == sums(once)


def test_partitions_that_come_back_are_read_from_the_table() -> None:
    table: dict[bytes, bytes] = {}
    fold = SloFold(table, OBJECTIVES, 100)
    fold.take(0, report(BEGIN + 1_000, 5).to_value(), 1 << 62)
    fold.forget()
    said = fold.take(0, report(BEGIN + 2_000, 7).to_value(), 1 << 62)
    assert sums(said) == (5, 0, 1), "what was known is said again"
    assert sums(fold.take(0, report(BEGIN + 3_000, 7, last=True).to_value(), 1 << 62)) == (7, 0, 1)


def test_what_is_no_report_from_the_future_or_too_much_is_passed_over() -> None:
    fold = SloFold({}, OBJECTIVES, 1)
    assert fold.take(0, b"x", BEGIN) == []
    assert fold.take(0, None, BEGIN) == []
    assert fold.take(0, report(BEGIN + 10_000_000, 5).to_value(), BEGIN) == []
    assert fold.take(0, report(BEGIN + 1_000, 5).to_value(), BEGIN) != []
    assert fold.take(0, report(BEGIN + 1_000, 5, name="v").to_value(), BEGIN) == []


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0, 1e200])
@pytest.mark.parametrize("which", ["total", "bad"])
def test_a_counter_that_says_no_count_spoils_no_month(wrong: float, which: str) -> None:
    before = REGISTRY.get_sample_value("monmouth_ops_refused_total", {"reason": "count"}) or 0
    table: dict[bytes, bytes] = {}
    fold = SloFold(table, OBJECTIVES, 100)
    said = []
    for at, total, bad in ((1, 10, 1), (2, wrong, 2) if which == "total" else (2, 20, wrong), (3, 30, 3)):
        said += fold.take(0, report(BEGIN + at * MINUTE_MS, total, bad, last=True).to_value(), 1 << 62)
    assert sums(said) == (30, 3, 2), "what it counted meanwhile is of the next minute; that one is unknown"
    assert REGISTRY.get_sample_value("monmouth_ops_refused_total", {"reason": "count"}) == before + 1


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0, 1e200])
def test_a_half_hour_that_says_no_count_is_refused(wrong: float) -> None:
    ledger = Ledger()
    for name in ("t3", "b3"):
        with pytest.raises(SchemaError):
            ledger.take(
                Window("slo", "a", {}, SECONDS, BEGIN, BEGIN, closed=False, samples=1, values={"known": 8.0, name: wrong})
            )
    assert not list(ledger.minutes("a", 0, 1 << 62))


def test_a_process_that_is_long_gone_is_let_go_and_said_a_last_time() -> None:
    table: dict[bytes, bytes] = {}
    fold = SloFold(table, OBJECTIVES, 100)
    said = fold.take(0, report(BEGIN + 1_000, 5).to_value(), 1 << 62)
    said += fold.take(0, report(BEGIN + 2_000, 9).to_value(), 1 << 62)
    later = BEGIN + 10 * HALF_MS
    said += fold.take(0, report(later, 3, started_ms=later, name="v").to_value(), 1 << 62)
    assert sums(said) == (12, 0, 2)
    assert list(table) == [b"0/worker/v"]
