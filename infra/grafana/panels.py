"""What the dashboards show: one row of this file is one panel.

Assumes a Prometheus that scrapes all programs under a job with ``monmouth`` in its name, with the rules of
`monmouth alerts prometheus`. Invariant: every expression asks for metrics that some program has, which a test asks of a real
Prometheus.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Panel:
    """``queries``: (expression, legend). ``unit``: Grafana's name of it. ``kind``: timeseries or stat."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    description: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """``uid``: of its address, and its file's name."""

    uid: str
    title: str
    panels: tuple[Panel, ...]


def one(title: str, expression: str, legend: str = "", unit: str = "short", **more: str) -> Panel:
    """A panel of one query."""
    return Panel(title, ((expression, legend),), unit, **more)


def quantiles(title: str, metric: str, by: str = "", unit: str = "ms") -> Panel:
    """p50, p95 and p99 of a histogram within five minutes."""
    labels = f"le, {by}" if by else "le"
    suffix = f" {{{{{by}}}}}" if by else ""
    return Panel(
        title,
        tuple(
            (f"histogram_quantile({share / 100:g}, sum by ({labels}) (rate({metric}_bucket[5m])))", f"p{share}{suffix}")
            for share in (50, 95, 99)
        ),
        unit,
    )


OVERVIEW = Dashboard(
    "monmouth",
    "Monmouth",
    (
        one("Health", "min(monmouth_system_health_score)", "score", "percentunit", kind="stat"),
        one("Alerts firing", 'count(ALERTS{alertstate="firing"}) or vector(0)', "alerts", kind="stat"),
        one("Budget left, last 30 days", "monmouth_slo_budget_left", "{{objective}}", "percentunit", kind="stat"),
        one("Targets down", 'count(up{job=~".*monmouth.*"} == 0) or vector(0)', "targets", kind="stat"),
        Panel("Chain: head and final block", (("monmouth_chain_head_block", "head"), ("monmouth_chain_final_block", "final"))),
        one("Transactions per second", "rate(monmouth_chain_transactions_total[1m])", "{{instance}}"),
        Panel(
            "Reorgs",
            (
                ("increase(monmouth_chain_reorgs_total[5m])", "in 5 minutes"),
                ("monmouth_chain_reorg_depth", "blocks removed by the last"),
                ("sum(increase(monmouth_producer_reorgs_total[5m]))", "written in 5 minutes"),
                ("monmouth_producer_reorg_conflicts", "transactions the last one removed for good"),
            ),
        ),
        one("Seconds behind, worst partition", "max by (agent) (monmouth_runtime_seconds_behind)", "{{agent}}", "s"),
        one("Memories stored for good per second", "sum(rate(monmouth_memories_stored_total[1m]))", "memories"),
        one("Records per second by stream agent", "sum by (agent) (rate(monmouth_runtime_records_total[1m]))", "{{agent}}"),
        quantiles("Context queries", "monmouth_rag_query_latency_ms"),
        Panel(
            "Must stay zero: integrity stops, dead letters, unreadable records",
            (
                ("sum by (agent) (monmouth_runtime_integrity_stops_total)", "stops {{agent}}"),
                ("sum by (agent) (monmouth_runtime_dead_letters_total)", "dead letters {{agent}}"),
                ("sum(monmouth_unreadable_records_total)", "unreadable"),
            ),
        ),
    ),
)

PIPELINE = Dashboard(
    "monmouth-pipeline",
    "Monmouth: pipeline",
    (
        one("Seconds behind", "max by (agent) (monmouth_runtime_seconds_behind)", "{{agent}}", "s"),
        one(
            "Records received and not processed",
            "sum by (agent, topic) (monmouth_runtime_received - monmouth_runtime_position)",
            "{{agent}} {{topic}}",
        ),
        one("Partitions", "sum by (agent) (monmouth_runtime_partitions)", "{{agent}}"),
        one("Blocks per second", "sum by (agent) (rate(monmouth_runtime_blocks_total[1m]))", "{{agent}}"),
        one("Output records per second", "sum by (agent) (rate(monmouth_runtime_outputs_total[1m]))", "{{agent}}"),
        one("Commits per second", "sum by (agent) (rate(monmouth_runtime_commits_total[1m]))", "{{agent}}"),
        quantiles("Block time to commit", "monmouth_transaction_latency_ms_histogram", "agent"),
        one("Transactions committed in the last second", "sum by (agent) (monmouth_throughput_tps)", "{{agent}}"),
        one("Rewinds in 5 minutes", "sum by (agent) (increase(monmouth_runtime_rewinds_total[5m]))", "{{agent}}"),
        quantiles("Blocks an undo removed", "monmouth_runtime_reorg_depth_blocks", "agent", "short"),
        quantiles("Rewind, seen to healed", "monmouth_runtime_rewind_seconds", "agent", "s"),
        one(
            "Reorgs in 5 minutes by severity",
            "sum by (severity) (increase(monmouth_producer_reorgs_total[5m]))",
            "{{severity}}",
        ),
        one("Reorgs below finality", "increase(monmouth_producer_reorgs_below_final_total[1h])", "in an hour"),
        Panel("Producer", (("monmouth_producer_tip", "newest"), ("monmouth_producer_final", "final"))),
        Panel(
            "Source",
            (
                ("monmouth_producer_source_lagging_blocks", "blocks behind the log"),
                ("increase(monmouth_producer_source_errors_total[5m])", "useless answers in 5 minutes"),
            ),
        ),
        one(
            "Partitions built anew in 5 minutes",
            "sum by (agent, reason) (increase(monmouth_runtime_rebuilds_total[5m]))",
            "{{agent}} {{reason}}",
        ),
        one("Dead letters in 5 minutes", "sum by (agent) (increase(monmouth_runtime_dead_letters_total[5m]))", "{{agent}}"),
        one("Integrity stops", "sum by (agent) (increase(monmouth_runtime_integrity_stops_total[1h]))", "{{agent}}"),
        one("Standbys: records behind", "max by (agent) (monmouth_runtime_standby_lag)", "{{agent}}"),
        quantiles("Event loop late", "monmouth_runtime_stall_seconds", "", "s"),
        Panel(
            "Embedding",
            (
                ("sum(rate(monmouth_embedding_texts_total[1m]))", "texts a second"),
                ("sum(rate(monmouth_embedding_cache_hits_total[1m]))", "not computed: known before"),
            ),
        ),
    ),
)

GATEWAY = Dashboard(
    "monmouth-gateway",
    "Monmouth: gateway",
    (
        one("Requests per second", "sum by (route) (rate(monmouth_http_request_latency_ms_count[1m]))", "{{route}}"),
        quantiles("Requests", "monmouth_http_request_latency_ms"),
        one(
            "Failed share of requests",
            'sum by (route) (rate(monmouth_http_request_latency_ms_count{status=~"5.."}[5m]))'
            " / sum by (route) (rate(monmouth_http_request_latency_ms_count[5m]))",
            "{{route}}",
            "percentunit",
        ),
        one("Context queries per second", "sum(rate(monmouth_rag_queries_total[1m]))", "queries"),
        quantiles("Context queries", "monmouth_rag_query_latency_ms"),
        quantiles("Waiting for the log", "monmouth_read_barrier_latency_ms"),
        one("Cache: hit rate since the start", "monmouth_cache_hit_rate", "{{cache}}", "percentunit"),
        one("Cache: bytes", "sum by (level) (monmouth_cache_bytes)", "{{level}}", "bytes"),
        one("Cache: entries", "sum by (level) (monmouth_cache_entries)", "{{level}}"),
        one("Cache: events per second", "sum by (event) (rate(monmouth_cache_events_total[1m]))", "{{event}}"),
        Panel(
            "Commands about memories per second",
            (
                ("sum(rate(monmouth_store_commands_total[1m]))", "to be stored"),
                ("sum(rate(monmouth_memories_forgotten_total[1m]))", "to be forgotten"),
            ),
        ),
        one("Rows kept out of answers per second", "sum(rate(monmouth_rows_dropped_total[1m]))", "rows"),
        one("Agents with memories", "max(monmouth_agents_active_total)", "agents"),
        Panel(
            "Tables",
            (
                ("sum(monmouth_roots_held)", "roots"),
                ("sum(monmouth_graph_events_held)", "events of the graph"),
                ("max(monmouth_graph_full)", "graph is full"),
            ),
        ),
        Panel(
            "Stores: indexes of agents",
            (
                ("sum(monmouth_agent_index_agents)", "held"),
                ("sum(rate(monmouth_agent_index_builds_total[5m]))", "made a second"),
                ("sum(rate(monmouth_agent_index_evictions_total[5m]))", "given up a second"),
            ),
        ),
        one("Stores: bytes of indexes", "sum(monmouth_agent_index_bytes)", "bytes", "bytes"),
        Panel(
            "View of the chain",
            (
                ("max(monmouth_chain_view_lag_records)", "offsets not folded in"),
                ("max(monmouth_chain_undone_blocks)", "removed blocks held"),
            ),
        ),
        one("Change feeds open", "sum(monmouth_feeds_open)", "feeds"),
        one("Dashboards open", "sum(monmouth_dashboard_viewers)", "dashboards"),
    ),
)

OPERATIONS = Dashboard(
    "monmouth-operations",
    "Monmouth: operations",
    (
        one("Health score", "monmouth_system_health_score", "{{instance}}", "percentunit"),
        Panel(
            "Components",
            (("monmouth_components_healthy_total", "healthy"), ("monmouth_components_degraded_total", "degraded")),
        ),
        one("Components that failed of themselves", "max by (component) (monmouth_component_failed)", "{{component}}"),
        one("Alerts firing", 'count by (alertname, severity) (ALERTS{alertstate="firing"})', "{{severity}} {{alertname}}"),
        Panel(
            "Alerts told in an hour",
            (
                ("sum by (severity) (increase(monmouth_alerts_fired_total[1h]))", "began: {{severity}}"),
                ("sum by (channel, outcome) (increase(monmouth_alerts_told_total[1h]))", "{{channel}} {{outcome}}"),
            ),
        ),
        quantiles("Telling of alerts", "monmouth_alerts_telling_seconds", "channel", "s"),
        one("Budget left, last 30 days", "monmouth_slo_budget_left", "{{objective}}", "percentunit"),
        one(
            "Burn rate, hour",
            'monmouth_slo_burn_rate{window="1h"}',
            "{{objective}}",
            description="At 1 a budget lasts exactly its month; 14.4 wakes somebody.",
        ),
        one("Burn rate, three days", 'monmouth_slo_burn_rate{window="3d"}', "{{objective}}"),
        one("Nearness to an alert of budgets", "monmouth_slo_burn", "{{objective}} {{speed}}", description="Above 1 it fires."),
        one(
            "Errors per second",
            "sum by (category, severity) (rate(monmouth_errors_total[5m]))",
            "{{category}} {{severity}}",
        ),
        one("Tries again per second", "sum by (name) (rate(monmouth_retry_attempts_total[5m]))", "{{name}}"),
        one("Memory", "monmouth_memory_usage_mb", "{{instance}}", "decmbytes"),
        one("CPU, percent of a core", "monmouth_cpu_usage_percent", "{{instance}}", "percent"),
        one("Disk of the state folder", "monmouth_disk_usage_percent", "{{instance}}", "percent"),
        one("Uptime", "monmouth_uptime_seconds", "{{instance}}", "s"),
        one("Targets", 'up{job=~".*monmouth.*"}', "{{instance}}"),
        one("Done without on purpose", "max by (part) (monmouth_degraded)", "{{part}}"),
        one("Reports per second", "sum by (outcome) (rate(monmouth_ops_reports_total[1m]))", "{{outcome}}"),
        Panel(
            "Windows",
            (
                ("sum(rate(monmouth_ops_reports_folded_total[1m]))", "reports folded a second"),
                ("sum by (reason) (rate(monmouth_ops_refused_total[1m]))", "refused a second: {{reason}}"),
            ),
        ),
    ),
)
DASHBOARDS = (OVERVIEW, PIPELINE, GATEWAY, OPERATIONS)
