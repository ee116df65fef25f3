"""The sections of the dashboard, made from the board and from what this gateway holds itself. Pure."""

from __future__ import annotations

import math
from statistics import fmean
from typing import Literal

from streams.core.canonical import CanonicalView
from streams.core.forkview import severity
from streams.ops.reports import AlertRecord, Window
from streams.serving.ops import series as named
from streams.serving.ops.board import Board
from streams.serving.ops.history import KEPT, Points
from streams.serving.ops.processes import TTL_MS
from streams.serving.ops.reorgs import Healing
from streams.serving.ops.series import SERIES, Series
from streams.serving.ops.trend import Trend, trend
from streams.serving.wire import Block
from streams.serving.wire.dashboard import (
    AlertList,
    AlertView,
    ChainView,
    ComponentList,
    GatewayMetrics,
    HealingView,
    HealthSummary,
    PerformanceMetrics,
    ProcessView,
    SeriesView,
    SloView,
    TrendView,
    WindowView,
)

SEVERITIES = ("critical", "warning", "info")
SHOWN_SECONDS = 300
"""Of each series, with the whole state; the rest is asked for one by one."""


def component_list(board: Board, processes: list[ProcessView]) -> ComponentList:
    return ComponentList(at_ms=board.now_ms, silent_after_ms=TTL_MS, components=processes)


def alert_list(board: Board) -> AlertList:
    """What fires, and what did."""
    firing = sorted(map(_alert, board.alerts.values()), key=lambda alert: (_rank(alert), -alert.since_ms, alert.rule))
    return AlertList(at_ms=board.now_ms, firing=firing, resolved=[_alert(alert) for alert in reversed(board.resolved.values())])


def chain(board: Board, view: CanonicalView) -> ChainView:
    """Where it stands, and how it got there."""
    return ChainView(
        head=Block.of(view.head),
        final=Block.of(view.final),
        reorg_count=view.undo_count,
        reorgs=[_healing(healing) for healing in reversed(list(board.reorgs))],
    )


def slo(board: Board) -> SloView:
    """Objectives that somebody watches."""
    windows = board.windows()
    found = [_window(window) for window in windows or ()]
    return SloView(available=windows is not None, objectives=sorted(found, key=lambda one: (one.name, one.seconds)))


def gateway_metrics(board: Board, health: HealthSummary, slos: SloView) -> GatewayMetrics:
    """The state in a few numbers."""
    measures = board.measures()
    return GatewayMetrics(
        system_health_score=health.score,
        total_components=health.components,
        healthy_components=health.healthy,
        degraded_components=health.degraded,
        failed_components=health.components - health.healthy - health.degraded,
        alerts_active=len(board.alerts),
        alerts_fired=board.fired,
        average_response_time_ms=measures.mean(named.REQUEST_LATENCY),
        response_time_p95_ms=measures.quantile(named.REQUEST_LATENCY, 0.95),
        sla_compliance=_compliance(slos),
        throughput_tps=measures.gauge(named.THROUGHPUT, max),
        error_rate=measures.rate(named.ERRORS),
    )


def performance_metrics(board: Board) -> PerformanceMetrics:
    """How much and how fast."""
    measures = board.measures()
    processed = measures.total(named.RECORDS)
    return PerformanceMetrics(
        average_latency_ms=measures.mean(named.BLOCK_LATENCY),
        cache_hit_rate=measures.gauge(named.HIT_RATE, fmean),
        total_messages_processed=None if processed is None else int(processed),
        messages_per_second=measures.rate(named.RECORDS),
        pool_utilization=measures.gauge(named.POOLS, max),
        memory_usage_mb=measures.gauge(named.MEMORY, sum),
        cpu_usage_percent=measures.gauge(named.CPU, sum),
        disk_usage_percent=measures.gauge(named.DISK, max),
    )


def all_series(board: Board) -> list[SeriesView]:
    """Every one, its last few minutes."""
    return [series(board, name, SHOWN_SECONDS) for name in SERIES]


def series(board: Board, name: str, seconds: int) -> SeriesView:
    """The last ``seconds`` of one: by the second as far as those are kept, else by the minute."""
    spec, history = SERIES[name], board.history[name]
    points = history.seconds()
    if seconds > KEPT * points.step:
        points = history.minutes()
    kept = points.values[-math.ceil(seconds / points.step) :]
    start = points.start + points.step * (len(points.values) - len(kept))
    values = [value for value in kept if value is not None]
    return SeriesView(
        name=name,
        title=spec.title,
        unit=spec.unit,
        better=spec.better,
        start=start,
        step=points.step,
        values=list(kept),
        latest=history.newest,
        least=min(values, default=None),
        most=max(values, default=None),
        mean=fmean(values) if values else None,
        trend=_trend(spec, Points(start, points.step, kept)),
    )


def _trend(spec: Series, points: Points) -> TrendView | None:
    found = trend(points.values, points.step, max(60, len(points.values) * points.step // 3))
    if found is None:
        return None

    def possible(value: float | None) -> float | None:
        return None if value is None else min(max(value, 0.0), spec.most)

    return TrendView(
        direction=found.direction,
        meaning=_meaning(spec, found),
        slope=found.slope,
        explained=found.explained,
        first=found.first,
        last=found.last,
        seconds=(len(points.values) - 1) * points.step,
        horizon=found.horizon,
        ahead=possible(found.ahead),
        low=possible(found.low),
        high=possible(found.high),
    )


def _meaning(spec: Series, found: Trend) -> Literal["better", "worse", "none"]:
    if spec.better == "none" or found.direction == "steady":
        return "none"
    return "better" if (found.direction == "rising") == (spec.better == "more") else "worse"


def _alert(alert: AlertRecord) -> AlertView:
    return AlertView(
        rule=alert.rule,
        labels=dict(alert.labels),
        severity=alert.severity,
        state=alert.state,
        since_ms=alert.at_ms,
        value=_finite(alert.value),
        summary=alert.summary,
    )


def _rank(alert: AlertView) -> int:
    return SEVERITIES.index(alert.severity) if alert.severity in SEVERITIES else len(SEVERITIES)


def _healing(healing: Healing) -> HealingView:
    reorg = healing.reorg
    tip, ancestor = Block.of(reorg.tip), Block.of(reorg.ancestor)
    assert tip is not None
    assert ancestor is not None
    return HealingView(
        sequence=reorg.sequence,
        depth=reorg.depth,
        severity=severity(reorg.depth),
        tip=tip,
        ancestor=ancestor,
        at_ms=healing.at_ms,
        heal_ms=healing.heal_ms,
        waits_for=[f"{agent}/{partition}" for agent, partition in sorted(healing.waits_for)],
    )


def _window(window: Window) -> WindowView:
    return WindowView(
        kind=window.kind,
        name=window.name,
        labels=dict(window.labels),
        seconds=window.seconds,
        start_ms=window.start_ms,
        closed=window.closed,
        samples=window.samples,
        values={name: _finite(value) for name, value in window.values.items()},
    )


def _compliance(slos: SloView) -> float | None:
    """Share of the objectives whose budget is not used up."""
    left = [found for one in slos.objectives if (found := one.values.get("budget_left")) is not None]
    return fmean(value > 0 for value in left) if left else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
