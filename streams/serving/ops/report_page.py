"""The dashboard as one HTML file that opens anywhere: tables and small pictures, no script, nothing fetched. Pure.

Invariant: every text goes through ``html.escape``; the file forbids itself everything but its own style.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from streams.serving.wire.dashboard import DashboardState, SeriesView

WIDTH, HEIGHT = 240, 48
STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;background:Canvas;color:CanvasText}
h1{font-size:1.6rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.25rem 0}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid color-mix(in srgb,CanvasText 18%,Canvas)}
td.n,th.n{text-align:right}svg{display:block}polyline{fill:none;stroke:currentColor;stroke-width:1.5}
.scroll{overflow-x:auto}.quiet{opacity:.75}
"""


def report_page(state: DashboardState) -> bytes:
    """The file."""
    health = state.health
    score = "not reported" if health.score is None else f"{health.score:.0%}"
    parts = [
        _head(state),
        f"<h1>Monmouth: {escape(health.status or 'no reports')}</h1>",
        f'<p class="quiet">As of {_time(state.at_ms)}, version {escape(state.version)}. Health score {score}.</p>',
        _list("What is wrong", health.causes),
        _table("In short", ("Measure", "Value"), _pairs(state)),
        _processes(state),
        _stream_agents(state),
        _reorganisations(state),
        _alerts(state),
        _slo(state),
        "<h2>Series</h2>",
        _series(state.series),
        "</body></html>\n",
    ]
    return "\n".join(parts).encode()


def _processes(state: DashboardState) -> str:
    return _table(
        "Processes",
        ("Component", "Instance", "State", "Score", "Last heard", "Details"),
        (
            (
                process.component,
                process.instance,
                process.status,
                _number(process.score),
                _time(process.seen_ms),
                "; ".join(f"{part.name} {part.status} {part.detail}".strip() for part in process.parts),
            )
            for process in state.components
        ),
    )


def _stream_agents(state: DashboardState) -> str:
    return _table(
        "Stream agents",
        ("Stream agent", "State", "Records waiting", "Seconds behind", "Rewinds", "Block"),
        (
            (
                agent.name,
                agent.status or "no reports",
                _number(agent.lag),
                _number(agent.seconds_behind),
                _number(agent.rewinds),
                _number(agent.block),
            )
            for agent in state.pipeline.agents
        ),
    )


def _reorganisations(state: DashboardState) -> str:
    return _table(
        "Reorganisations",
        ("Time", "Depth", "Severity", "Healed after, ms", "Waits for"),
        (
            (_time(one.at_ms), str(one.depth), one.severity, _number(one.heal_ms), ", ".join(one.waits_for))
            for one in state.chain.reorgs
        ),
    )


def _alerts(state: DashboardState) -> str:
    return _table(
        "Alerts",
        ("Rule", "State", "Severity", "Since", "Labels", "Summary"),
        (
            (
                alert.rule,
                alert.state,
                alert.severity,
                _time(alert.since_ms),
                ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items())),
                alert.summary,
            )
            for alert in (*state.alerts.firing, *state.alerts.resolved)
        ),
    )


def _head(state: DashboardState) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Monmouth at {_time(state.at_ms)}</title><style>{STYLE}</style></head><body>"
    )


def _pairs(state: DashboardState) -> Iterable[tuple[str, str]]:
    numbers = {**state.metrics.model_dump(), **state.performance.model_dump()}
    for name, value in numbers.items():
        yield name.replace("_", " "), _number(value)
    yield "agents active", str(state.agents.active)
    yield "chain head", _number(None if state.chain.head is None else state.chain.head.number)


def _slo(state: DashboardState) -> str:
    if not state.slo.available:
        said = "<code>monmouth ops</code> counts, and <code>monmouth alerts watch --from-log</code> says it."
        return f"<h2>Service levels</h2><p>Not known: nobody says how they stand. {said}</p>"
    rows = (
        (one.name, f"{one.seconds} s", ", ".join(f"{name} {_number(value)}" for name, value in one.values.items()))
        for one in state.slo.objectives
    )
    return _table("Service levels", ("Objective", "Span", "Values"), rows)


def _series(found: Sequence[SeriesView]) -> str:
    rows = "".join(
        f"<tr><th scope=row>{escape(one.title)}</th><td>{escape(one.unit)}</td><td class=n>{_number(one.latest)}</td>"
        f"<td class=n>{_number(one.least)}</td><td class=n>{_number(one.mean)}</td><td class=n>{_number(one.most)}</td>"
        f"<td>{escape(one.trend.direction) if one.trend else ''}</td><td>{_sparkline(one)}</td></tr>"
        for one in found
    )
    head = "".join(
        f"<th scope=col>{name}</th>" for name in ("Series", "Unit", "Now", "Least", "Mean", "Most", "Trend", "History")
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _sparkline(series: SeriesView) -> str:
    if series.least is None or series.most is None or len(series.values) < 2:
        return ""
    span = series.most - series.least or 1.0
    runs: list[list[str]] = [[]]
    for index, value in enumerate(series.values):
        if value is None:
            runs.append([])
        else:
            x = WIDTH * index / (len(series.values) - 1)
            runs[-1].append(f"{x:.1f},{HEIGHT - 2 - (HEIGHT - 4) * (value - series.least) / span:.1f}")
    lines = "".join(f'<polyline points="{" ".join(run)}"/>' for run in runs if len(run) > 1)
    label = escape(f"{series.title}: from {_number(series.least)} to {_number(series.most)} {series.unit}", quote=True)
    return f'<svg role="img" aria-label="{label}" width="{WIDTH}" height="{HEIGHT}">{lines}</svg>'


def _list(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return f"<h2>{title}</h2><ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th scope=col>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    if not body:
        return f"<h2>{title}</h2><p>None.</p>"
    return f'<h2>{title}</h2><div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
