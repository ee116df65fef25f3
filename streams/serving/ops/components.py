"""Processes as the dashboard shows them: the worst first, and what is wrong in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from streams.ops.health.verdict import Verdict
from streams.serving.ops.board import Board
from streams.serving.ops.processes import Process
from streams.serving.wire.dashboard import HealthSummary, PartView, ProcessView, Status

ORDER: tuple[Status, ...] = ("failed", "gone", "degraded", "healthy")
CAUSES = 8
"""Sentences about what is wrong; there may be more."""


def worst(statuses: Iterable[Status]) -> Status | None:
    """Of several; None of none."""
    return min(statuses, key=ORDER.index, default=None)


def components(board: Board) -> list[ProcessView]:
    """All processes, the worst first; of those that ended in order only the ones that nobody took the place of."""
    there = {process.component for process in board.processes if not process.gone(board.now_ms)}
    shown = [process for process in board.processes if not (process.ended and process.component in there)]
    views = [_view(process, board.now_ms) for process in shown]
    return sorted(views, key=lambda view: (ORDER.index(view.status), view.component, view.instance))


def summary(board: Board, views: list[ProcessView]) -> HealthSummary:
    """The whole in one line: as this gateway judges it, and without a verdict by what processes say of themselves."""
    count = {status: sum(view.status == status for view in views) for status in ORDER}
    if (verdict := board.verdict) is not None:
        silent = [cause for view in views if view.status == "gone" for cause in _causes(view)]
        return HealthSummary(
            status=verdict.status,
            score=verdict.score,
            components=len(verdict.components),
            healthy=verdict.count("healthy"),
            degraded=verdict.count("degraded"),
            failed=verdict.count("failed"),
            gone=count["gone"],
            causes=[*(_root(verdict, name) for name in verdict.roots), *silent][:CAUSES],
            predictions=list(board.predictions)[:CAUSES],
        )
    return HealthSummary(
        status=_overall(views),
        score=board.score(),
        components=len(views),
        healthy=count["healthy"],
        degraded=count["degraded"],
        failed=count["failed"],
        gone=count["gone"],
        causes=[cause for view in views for cause in _causes(view)][:CAUSES],
        predictions=[],
    )


def _root(verdict: Verdict, name: str) -> str:
    """A cause, and who suffers from it."""
    one = verdict.components[name]
    detail = f": {one.own.detail}" if one.own.detail else ""
    suffering = sorted(other.name for other in verdict.components.values() if name in other.causes)
    return f"{name} {one.own.status}{detail}" + (f" (so {', '.join(suffering)} degraded)" if suffering else "")


def _overall(views: list[ProcessView]) -> Status | None:
    """The worst; a process that is gone makes the whole degraded, unless nobody is left."""
    found = worst(view.status for view in views if view.status != "gone")
    if found == "healthy" and any(view.status == "gone" for view in views):
        return "degraded"
    return found or worst(view.status for view in views)


def _view(process: Process, now_ms: int) -> ProcessView:
    health = process.health
    said: Status = health.status if health is not None else "healthy"  # it reports what it measured, and no complaint
    gone = process.gone(now_ms)
    return ProcessView(
        component=process.component,
        instance=process.instance,
        status="gone" if gone else said,
        ended=process.ended,
        score=None if gone or health is None else health.score,
        seen_ms=process.seen_ms,
        started_ms=process.started_ms or None,
        parts=[
            PartView(name=part.name, status=part.status, score=part.score, detail=part.detail, seconds=part.seconds)
            for part in (health.parts if health is not None else ())
        ],
    )


def _causes(view: ProcessView) -> list[str]:
    who = f"{view.component} {view.instance}"
    if view.status == "gone":
        return [f"{who} has ended" if view.ended else f"{who} has fallen silent"]
    wrong = sorted((part for part in view.parts if part.status != "healthy"), key=lambda part: part.score)
    if not wrong and view.status != "healthy":
        return [f"{who} is {view.status}"]
    return [f"{who}: {part.name} {part.status}" + (f", {part.detail}" if part.detail else "") for part in wrong]
