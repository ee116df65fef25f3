"""The report of a month as Markdown, JSON, CSV and HTML. Pure. Invariant: all say the same, and what is not known is no
number.
"""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from streams.ops.slo.budget import Count
from streams.ops.slo.report import MonthReport, ObjectiveReport

UNKNOWN = "no data"
Rows = list[list[str]]
SUMMARY = [
    "objective",
    "target",
    "reached",
    "events",
    "bad",
    "budget left",
    "met",
    "minutes known",
    "incidents",
    "mean minutes to repair",
    "mean minutes between",
    "days without data",
]
DAYS = ["objective", "day", "events", "bad", "reached", "minutes known"]
INCIDENTS = ["objective", "began", "minutes", "events", "bad", "share of budget"]


def as_json(report: MonthReport) -> str:
    """Numbers as they are; null where nothing is known."""
    return json.dumps(
        {
            "month": report.month.name,
            "until": _when(report.until_ms),
            "objectives": [_record(found) for found in report.objectives],
        },
        indent=2,
    )


def as_csv(report: MonthReport) -> str:
    """One row for each objective and day."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([DAYS, *_days(report)])
    return out.getvalue()


def as_markdown(report: MonthReport) -> str:
    """For people."""
    parts = [f"# Service levels {report.month.name}", "", f"Until {_when(report.until_ms)}.", ""]
    for title, head, rows in _tables(report):
        parts += [f"## {title}", "", *_markdown(head, rows), ""] if rows else [f"## {title}", "", "None.", ""]
    return "\n".join(parts)


def as_html(report: MonthReport) -> str:
    """One page that needs nothing else."""
    title = f"Service levels {report.month.name}"
    body = "".join(f"<h2>{html.escape(name)}</h2>{_html(head, rows)}" for name, head, rows in _tables(report))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<style>:root{color-scheme:light dark}body{font:16px system-ui;margin:2rem}table{border-collapse:collapse}"
        "th,td{border:1px solid;padding:.3rem .6rem;text-align:left}</style></head>"
        f"<body><h1>{title}</h1><p>Until {_when(report.until_ms)}.</p>{body}</body></html>\n"
    )


FORMATS: Mapping[str, Callable[[MonthReport], str]] = {
    "markdown": as_markdown,
    "json": as_json,
    "csv": as_csv,
    "html": as_html,
}


def _tables(report: MonthReport) -> Iterator[tuple[str, list[str], Rows]]:
    yield "Objectives", SUMMARY, [_summary(found) for found in report.objectives]
    yield "Worst incidents", INCIDENTS, _incidents(report)
    yield "Days", DAYS, _days(report)


def _summary(found: ObjectiveReport) -> list[str]:
    unknown = found.unknown_days
    return [
        found.objective.name,
        f"{100 * found.objective.target:g} %",
        _reached(found.count),
        f"{found.count.total:g}",
        f"{found.count.bad:g}",
        UNKNOWN if found.budget_left is None else f"{100 * found.budget_left:.1f} %",
        _verdict(found),
        f"{found.count.minutes} of {found.expected}",
        str(len(found.times)),
        _minutes(found.repair_minutes),
        _minutes(found.between_minutes),
        ", ".join(unknown) or "none",
    ]


def _verdict(found: ObjectiveReport) -> str:
    if found.met is None:
        return UNKNOWN
    return ("yes" if found.met else "no") + ("" if found.sure or not found.met else ", in the minutes known")


def _minutes(found: float | None) -> str:
    return "-" if found is None else f"{found:.1f}"


def _incidents(report: MonthReport) -> Rows:
    return [
        [
            found.objective.name,
            _when(one.start_ms),
            str(one.minutes),
            f"{one.count.total:g}",
            f"{one.count.bad:g}",
            f"{100 * one.share:.1f} %",
        ]
        for found in report.objectives
        for one in found.incidents
    ]


def _days(report: MonthReport) -> Rows:
    return [
        [found.objective.name, date, f"{count.total:g}", f"{count.bad:g}", _reached(count), str(count.minutes)]
        for found in report.objectives
        for date, count in found.days
    ]


def _reached(count: Count) -> str:
    return UNKNOWN if count.bad_share is None else f"{100 * (1 - count.bad_share):.4f} %"


def _record(found: ObjectiveReport) -> dict[str, Any]:
    share = found.count.bad_share
    return {
        "name": found.objective.name,
        "description": found.objective.description,
        "target": found.objective.target,
        "reached": None if share is None else 1 - share,
        "total": found.count.total,
        "bad": found.count.bad,
        "budget_left": found.budget_left,
        "met": found.met,
        "sure": found.sure,
        "incidents_in_all": len(found.times),
        "mean_minutes_to_repair": found.repair_minutes,
        "mean_minutes_between": found.between_minutes,
        "minutes_known": found.count.minutes,
        "minutes_expected": found.expected,
        "days_without_data": list(found.unknown_days),
        "incidents": [
            {
                "began": _when(one.start_ms),
                "minutes": one.minutes,
                "total": one.count.total,
                "bad": one.count.bad,
                "share_of_budget": one.share,
            }
            for one in found.incidents
        ],
        "days": [
            {"day": date, "total": count.total, "bad": count.bad, "minutes_known": count.minutes} for date, count in found.days
        ],
    }


def _when(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _markdown(head: list[str], rows: Rows) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _html(head: list[str], rows: Rows) -> str:
    if not rows:
        return "<p>None.</p>"
    cells = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>"
