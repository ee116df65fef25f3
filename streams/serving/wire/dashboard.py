"""Shapes of the dashboard: the live state of the deployment, as the page, the exports and the clients get it.

Times are milliseconds since 1970; a number that nobody measures is null, never nought.
"""

from __future__ import annotations

from typing import Literal

from streams.serving.wire.base import Answer, Block
from streams.serving.wire.standing import CacheState

Status = Literal["healthy", "degraded", "failed", "gone"]
NodeKind = Literal["producer", "topic", "agent", "store", "gateway"]


class PartView(Answer):
    """One thing that a process looked at, in ``seconds``. ``score``: 0 failed, 1 healthy."""

    name: str
    status: Literal["healthy", "degraded", "failed"]
    score: float
    detail: str
    seconds: float


class ProcessView(Answer):
    """One process. ``gone``: it ``ended``, or has said nothing for ``silent_after_ms``. ``seen_ms``: when it last did."""

    component: str
    instance: str
    status: Status
    ended: bool
    score: float | None
    seen_ms: int
    started_ms: int | None
    parts: list[PartView]


class ComponentList(Answer):
    """All processes that report, or did a short while ago; the worst first."""

    at_ms: int
    silent_after_ms: int
    components: list[ProcessView]


class HealthSummary(Answer):
    """The deployment in one line. ``status`` null: nobody reports. ``causes``: what is wrong, the worst first, in words;
    ``predictions``: what will break. ``gone``: processes that fell silent; the other numbers are of ``components``.
    """

    status: Status | None
    score: float | None
    components: int
    healthy: int
    degraded: int
    failed: int
    gone: int
    causes: list[str]
    predictions: list[str]


class AlertView(Answer):
    """An alert as it is since ``since_ms``."""

    rule: str
    labels: dict[str, str]
    severity: str
    state: Literal["firing", "resolved"]
    since_ms: int
    value: float | None
    summary: str


class AlertList(Answer):
    """``firing``: the worst first, ``resolved``: the newest first."""

    at_ms: int
    firing: list[AlertView]
    resolved: list[AlertView]


class PartitionView(Answer):
    """A stream agent's partition. ``lag``: records received and not processed; ``position``: next offset of each input.

    ``instance`` null: no process that lives says that it holds the partition.
    """

    partition: int
    instance: str | None
    block: int | None
    position: dict[str, int]
    lag: int | None
    seconds_behind: float | None
    committed_ms: int | None


class StreamAgentView(Answer):
    """A stream agent over all its partitions. ``rewinds``: undos followed since its processes began."""

    name: str
    status: Status | None
    lag: int | None
    seconds_behind: float | None
    rewinds: int | None
    block: int | None
    partitions: list[PartitionView]


class NodeView(Answer):
    """A box of the pipeline map, at ``column`` from the left and ``row`` from the top. ``status`` null: nobody says."""

    id: str
    kind: NodeKind
    label: str
    column: int
    row: int
    status: Status | None
    note: str


class FlowView(Answer):
    """What one box hands to another. ``lag``: records on the way."""

    source: str
    target: str
    lag: int | None


class PipelineView(Answer):
    """From the producer over topics and stream agents to stores and gateways."""

    nodes: list[NodeView]
    flows: list[FlowView]
    agents: list[StreamAgentView]


class HealingView(Answer):
    """A reorganisation. ``at_ms``: when the UNDO was written; ``heal_ms``: from then until every stream agent was past it.

    ``waits_for``: who is not. ``heal_ms`` null and nobody waited for: it was over before this gateway began to look.
    """

    sequence: int
    depth: int
    severity: str
    tip: Block
    ancestor: Block
    at_ms: int
    heal_ms: int | None
    waits_for: list[str]


class ChainView(Answer):
    """Where the chain stands. ``reorgs``: the latest, newest first; ``reorg_count``: of all the log holds."""

    head: Block | None
    final: Block | None
    reorg_count: int
    reorgs: list[HealingView]


class WindowView(Answer):
    """What a span of time says of one series; ``values`` as whoever made the window names them."""

    kind: str
    name: str
    labels: dict[str, str]
    seconds: int
    start_ms: int
    closed: bool
    samples: int
    values: dict[str, float | None]


class SloView(Answer):
    """Service levels. ``available`` false: nobody says how they stand; ``monmouth alerts watch --from-log`` does, by what
    ``monmouth ops`` counts.
    """

    available: bool
    objectives: list[WindowView]


class RecentAgent(Answer):
    """An agent whose root changed lately."""

    agent: str
    memories: int
    block: int | None


class AgentsView(Answer):
    """``active``: agents with a live memory; ``known``: agents that have a root. ``recent``: the newest changes first."""

    active: int
    known: int
    recent: list[RecentAgent]


class GatewayMetrics(Answer):
    """The state in a few numbers. ``alerts_fired``: since this gateway began, those that fired then among them;
    ``sla_compliance``: share of the objectives that are met, null where nobody watches them.
    """

    system_health_score: float | None
    total_components: int
    healthy_components: int
    degraded_components: int
    failed_components: int
    alerts_active: int
    alerts_fired: int
    average_response_time_ms: float | None
    response_time_p95_ms: float | None
    sla_compliance: float | None
    throughput_tps: float | None
    error_rate: float | None


class PerformanceMetrics(Answer):
    """How much and how fast, of all processes together."""

    average_latency_ms: float | None
    cache_hit_rate: float | None
    total_messages_processed: int | None
    messages_per_second: float | None
    pool_utilization: float | None
    memory_usage_mb: float | None
    cpu_usage_percent: float | None
    disk_usage_percent: float | None


class TrendView(Answer):
    """A straight line through the newest points; ``explained``: its share of their variance.

    ``first``, ``last``: its ends. ``ahead``: its value ``horizon`` seconds later, in 95 of 100 cases between ``low`` and
    ``high``; null where it explains too little to say.
    """

    direction: Literal["rising", "falling", "steady"]
    meaning: Literal["better", "worse", "none"]
    slope: float
    explained: float
    first: float
    last: float
    seconds: int
    horizon: int
    ahead: float | None
    low: float | None
    high: float | None


class SeriesView(Answer):
    """One series. ``start``: unix seconds of the first value, ``step`` seconds apart; a null was not measured.

    ``better``: which way is good, if either.
    """

    name: str
    title: str
    unit: str
    better: Literal["more", "less", "none"]
    start: int
    step: int
    values: list[float | None]
    latest: float | None
    least: float | None
    most: float | None
    mean: float | None
    trend: TrendView | None


class DashboardState(Answer):
    """Everything the page shows. ``reading``: why reports do not arrive, empty while they do."""

    at_ms: int
    version: str
    reading: str
    health: HealthSummary
    metrics: GatewayMetrics
    performance: PerformanceMetrics
    components: list[ProcessView]
    pipeline: PipelineView
    chain: ChainView
    alerts: AlertList
    slo: SloView
    agents: AgentsView
    cache: CacheState
    series: list[SeriesView]


class Exported(Answer):
    """A file, as it came."""

    content: bytes
