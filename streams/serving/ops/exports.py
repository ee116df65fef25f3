"""The dashboard as a file: JSON, CSV, a page, or its numbers alone for another system of measurement. Pure.

Invariants: a file stands by itself: it names when and what it is of, and nothing in it is fetched; what came from outside is
text in every format: escaped in the page, and in CSV never the beginning of a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite

import orjson

from streams.serving.ops.numbers import Cell, Value, influx_lines, prometheus_text
from streams.serving.ops.report_page import report_page
from streams.serving.wire.dashboard import DashboardState

FORMULA = ("=", "+", "-", "@", "\t", "\r")
SERIES = "series"
COLUMNS = ("section", "item", "field", "value", "unit", "time")

Row = tuple[str, str, str, Cell, str, int]
"""As ``COLUMNS``; the time in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Format:
    """``make``: the file of a state."""

    extension: str
    media_type: str
    make: Callable[[DashboardState], bytes]

    def filename(self, at_ms: int) -> str:
        """With the time it speaks of."""
        return f"monmouth-dashboard-{datetime.fromtimestamp(at_ms / 1000, UTC):%Y%m%dT%H%M%SZ}.{self.extension}"


def as_json(state: DashboardState) -> bytes:
    """All of it."""
    return orjson.dumps(state.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def as_csv(state: DashboardState) -> bytes:
    """One row a value (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for *cells, at_ms in _rows(state):
        writer.writerow([*(_safe(cell) for cell in cells), _time(at_ms)])
    return out.getvalue().encode()


def values(state: DashboardState) -> Iterator[Value]:
    """Every number of it."""
    for section, item, field, cell, _, at_ms in _rows(state):
        if isinstance(cell, int | float) and isfinite(cell):
            yield Value(section, item, "value" if section == SERIES else field, float(cell), at_ms)


FORMATS = {
    "json": Format("json", "application/json", as_json),
    "csv": Format("csv", "text/csv; charset=utf-8", as_csv),
    "html": Format("html", "text/html; charset=utf-8", report_page),
    "prometheus": Format("prom", "text/plain; version=0.0.4; charset=utf-8", lambda state: prometheus_text(values(state))),
    "influx": Format("lp", "text/plain; charset=utf-8", lambda state: influx_lines(values(state))),
}


def exported(state: DashboardState, name: str) -> bytes:
    """``state`` in a format of ``FORMATS``."""
    return FORMATS[name].make(state)


def _safe(cell: Cell) -> Cell:
    """A text that a spreadsheet would take for a formula is marked as a text."""
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip(" ").startswith(FORMULA) else cell


def _rows(state: DashboardState) -> Iterator[Row]:
    now = state.at_ms
    yield "dashboard", "monmouth", "version", state.version, "", now
    for section, numbers in (("metrics", state.metrics), ("performance", state.performance)):
        for field, value in numbers.model_dump().items():
            yield section, "", field, value, "", now
    for process in state.components:
        who = f"{process.component}/{process.instance}"
        yield "component", who, "status", process.status, "", process.seen_ms
        yield "component", who, "score", process.score, "", process.seen_ms
        for part in process.parts:
            yield "component", f"{who}/{part.name}", part.status, part.detail, "", process.seen_ms
    for agent in state.pipeline.agents:
        for field, value, unit in (
            ("status", agent.status, ""),
            ("lag", agent.lag, "records"),
            ("seconds_behind", agent.seconds_behind, "s"),
            ("rewinds", agent.rewinds, ""),
            ("block", agent.block, ""),
        ):
            yield "stream agent", agent.name, field, value, unit, now
    for reorg in state.chain.reorgs:
        yield "reorganisation", str(reorg.sequence), "depth", reorg.depth, "blocks", reorg.at_ms
        yield "reorganisation", str(reorg.sequence), "heal_ms", reorg.heal_ms, "ms", reorg.at_ms
    for alert in (*state.alerts.firing, *state.alerts.resolved):
        labels = ",".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
        yield "alert", f"{alert.rule}{{{labels}}}", alert.state, alert.summary, alert.severity, alert.since_ms
    for window in state.slo.objectives:
        for field, value in window.values.items():
            yield "service level", f"{window.name}/{window.seconds}s", field, value, "", window.start_ms
    yield "agents", "", "active", state.agents.active, "", now
    yield "agents", "", "known", state.agents.known, "", now
    yield "cache", "", "hit_rate", state.cache.hit_rate, "ratio", now
    yield "cache", "", "bytes", state.cache.bytes, "bytes", now
    for series in state.series:
        for index, value in enumerate(series.values):
            if value is not None:
                at_ms = 1000 * (series.start + index * series.step)
                yield SERIES, series.name, series.title, value, series.unit, at_ms


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
