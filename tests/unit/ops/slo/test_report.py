"""The report of a month: sums, days, incidents, and what is not known; the same in all formats."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from streams.errors import ConfigurationError
from streams.ops.slo.budget import Count, Ledger
from streams.ops.slo.formats import FORMATS
from streams.ops.slo.minutes import HALF_MS, MINUTE_MS, Half
from streams.ops.slo.objectives import objectives_of
from streams.ops.slo.report import Month, month_report

OBJECTIVES = objectives_of(
    '[[objective]]\nname = "a"\ntarget = 0.99\ntotal = "t"\nbad = "b"\n'
    '[[objective]]\nname = "idle"\ndescription = "<none>"\ntarget = 0.5\ntotal = "x"\nbad = "y"\n',
    "here",
)


def ms(text: str) -> int:
    return round(1000 * datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def add(ledger: Ledger, when: str, *minutes: tuple[float, float]) -> None:
    at = ms(when)
    start = at // HALF_MS * HALF_MS
    half = Half()
    for offset, events in enumerate(minutes):
        half.add((at - start) // MINUTE_MS + offset, *events)
    ledger.take(half.window("a", {}, start, at))


@pytest.fixture
def ledger() -> Ledger:
    found = Ledger()
    add(found, "2026-01-31T23:59", (100, 100))
    add(found, "2026-02-01T00:00", (100, 0), (100, 1), (100, 0))
    add(found, "2026-02-03T12:00", (100, 5), (100, 0), (100, 5))
    add(found, "2026-02-03T13:00", (100, 3))
    add(found, "2026-03-01T00:00", (100, 100))
    return found


def test_months_are_those_of_the_calendar() -> None:
    february = Month.of("2026-02")
    assert (february.start_ms, february.end_ms) == (ms("2026-02-01"), ms("2026-03-01"))
    assert Month.at(ms("2026-12-31T23:59:59")) == Month.of("2026-12")
    assert Month.of("2026-12").end_ms == ms("2027-01-01")
    assert len(february.days(1 << 62)) == 28
    assert [date for date, _, _ in february.days(ms("2026-02-02T01:00"))] == ["2026-02-01", "2026-02-02"]
    with pytest.raises(ConfigurationError, match="is no month"):
        Month.of("february")


def test_a_month_is_summed_with_its_days_and_incidents(ledger: Ledger) -> None:
    one, idle = month_report(ledger, OBJECTIVES, Month.of("2026-02"), 1 << 62).objectives
    assert one.count == Count(700, 14, 7)
    assert one.budget_left == pytest.approx(-1)
    assert one.met is False
    assert one.expected == 28 * 1_440
    assert dict(one.days)["2026-02-03"] == Count(400, 13, 4)
    assert len(one.unknown_days) == 26
    worst, second, third = one.incidents
    assert (worst.count.bad, worst.minutes, worst.start_ms) == (10, 3, ms("2026-02-03T12:00"))
    assert worst.share == pytest.approx(10 / 7)
    assert (second.count.bad, third.count.bad) == (3, 1)
    assert (idle.met, idle.budget_left, idle.incidents, len(idle.unknown_days)) == (None, None, (), 28)
    assert one.repair_minutes == pytest.approx((1 + 3 + 1) / 3)
    assert one.between_minutes == pytest.approx((2 * 1_440 + 12 * 60 - 2 + 57) / 2)
    assert (idle.repair_minutes, idle.between_minutes) == (None, None)


def test_a_month_of_which_little_is_known_is_not_called_met(ledger: Ledger) -> None:
    quiet, late = ms("2026-02-01T00:02"), ms("2026-02-01T01:00")
    for until, sure, said in ((quiet, True, "| yes |"), (late, False, "| yes, in the minutes known |")):
        report = month_report(ledger, OBJECTIVES, Month.of("2026-02"), until)
        assert (report.objectives[0].met, report.objectives[0].sure) == (True, sure)
        assert said in FORMATS["markdown"](report)
        assert json.loads(FORMATS["json"](report))["objectives"][0]["sure"] is sure


def test_a_month_that_goes_on_ends_now(ledger: Ledger) -> None:
    one, _ = month_report(ledger, OBJECTIVES, Month.of("2026-02"), ms("2026-02-01T00:02")).objectives
    assert (one.count, one.expected, one.unknown_days) == (Count(200, 1, 2), 2, ())
    assert one.met is True
    before, _ = month_report(ledger, OBJECTIVES, Month.of("2026-02"), ms("2026-01-01")).objectives
    assert (before.count, before.expected, before.met) == (Count(), 0, None)


def test_json_and_csv_hold_the_numbers_and_null_where_nothing_is_known(ledger: Ledger) -> None:
    report = month_report(ledger, OBJECTIVES, Month.of("2026-02"), 1 << 62)
    one, idle = json.loads(FORMATS["json"](report))["objectives"]
    assert (one["total"], one["bad"], one["met"], one["minutes_known"]) == (700, 14, False, 7)
    assert (idle["reached"], idle["budget_left"], idle["met"]) == (None, None, None)
    assert one["incidents"][0]["began"] == "2026-02-03 12:00 UTC"
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](report))))
    assert len(rows) == 56
    assert rows[2] == {
        "objective": "a",
        "day": "2026-02-03",
        "events": "400",
        "bad": "13",
        "reached": "96.7500 %",
        "minutes known": "4",
    }
    assert rows[1]["reached"] == "no data"


class Cells(HTMLParser):
    """Texts of table cells; complains of tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, _: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"td", "th"}:
            self.cells.append(data)


def test_html_and_markdown_say_the_same(ledger: Ledger) -> None:
    report = month_report(ledger, OBJECTIVES, Month.of("2026-02"), 1 << 62)
    page = Cells()
    page.feed(FORMATS["html"](report))
    assert page.open == []
    said = FORMATS["markdown"](report)
    rows = [line.strip("| ").split(" | ") for line in said.splitlines() if line.startswith("| ") and "---" not in line]
    assert page.cells == [cell for row in rows for cell in row]
    assert "-100.0 %" in page.cells
    assert "7 of 40320" in page.cells
    nothing = FORMATS["html"](month_report(Ledger(), OBJECTIVES, Month.of("2026-02"), 1 << 62))
    assert "<p>None.</p>" in nothing
