"""What the gateway measures of itself and of the chain it sees.

Invariant: each metric moves when the event it names happens, and only then.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from streams.metrics import REGISTRY

MS_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)

RAG_QUERIES = Counter("monmouth_rag_queries_total", "Context queries answered.", registry=REGISTRY)
STORE_COMMANDS = Counter(
    "monmouth_store_commands_total",
    "Store commands of this gateway that the log acknowledged; workers count the memories (monmouth_memories_stored_total).",
    registry=REGISTRY,
)
MEMORIES_FORGOTTEN = Counter(
    "monmouth_memories_forgotten_total", "Forget commands of this gateway that the log acknowledged.", registry=REGISTRY
)
QUERY_LATENCY = Histogram(
    "monmouth_rag_query_latency_ms", "Context queries, request to answer.", buckets=MS_BUCKETS, registry=REGISTRY
)
REQUEST_LATENCY = Histogram(
    "monmouth_http_request_latency_ms",
    "Requests by route and status, but for those of probes.",
    ["route", "method", "status"],
    buckets=MS_BUCKETS,
    registry=REGISTRY,
)
BARRIER_LATENCY = Histogram(
    "monmouth_read_barrier_latency_ms",
    "Waits until a view had read its topic to the end.",
    buckets=MS_BUCKETS,
    registry=REGISTRY,
)
FEEDS = Gauge("monmouth_feeds_open", "Change feeds that are open.", registry=REGISTRY)
FEED_EVENTS = Counter("monmouth_feed_events_total", "Events sent on change feeds.", registry=REGISTRY)
FEEDS_ENDED = Counter(
    "monmouth_feeds_ended_total", "Change feeds that the gateway ended, by reason.", ["reason"], registry=REGISTRY
)
CACHE_HIT_RATE = Gauge("monmouth_cache_hit_rate", "Hits over look-ups since the start, by cache.", ["cache"], registry=REGISTRY)
DROPPED = Counter(
    "monmouth_rows_dropped_total", "Rows kept out of answers because they were not live on the chain.", registry=REGISTRY
)
AGENTS_ACTIVE = Gauge(
    "monmouth_agents_active_total",
    "Agents with at least one live memory, by memory.roots: agents.registry gives them no status.",
    registry=REGISTRY,
)
GRAPH_EVENTS = Gauge("monmouth_graph_events_held", "Events of edges in the table of the graph.", registry=REGISTRY)
GRAPH_FULL = Gauge("monmouth_graph_full", "1 where the table of the graph has no room and answers no more.", registry=REGISTRY)
ROOTS_HELD = Gauge("monmouth_roots_held", "Agents in the table of lattice roots.", registry=REGISTRY)
HEALTH_SCORE = Gauge(
    "monmouth_system_health_score", "Scores of the components, weighed by how many depend on each; 0 to 1.", registry=REGISTRY
)
HEALTHY = Gauge("monmouth_components_healthy_total", "Components of the deployment that are well.", registry=REGISTRY)
DEGRADED = Gauge(
    "monmouth_components_degraded_total",
    "Components that work with a complaint, or need one that has failed.",
    registry=REGISTRY,
)
COMPONENT_FAILED = Gauge(
    "monmouth_component_failed",
    "1 where a component has failed and nothing that it needs has.",
    ["component"],
    registry=REGISTRY,
)

HEAD = Gauge("monmouth_chain_head_block", "Height of the head, as the log says.", registry=REGISTRY)
FINAL = Gauge("monmouth_chain_final_block", "Height of the newest final block, as the log says.", registry=REGISTRY)
REORGS = Counter("monmouth_chain_reorgs_total", "Undo notifications read from the log.", registry=REGISTRY)
REORG_DEPTH = Gauge("monmouth_chain_reorg_depth", "Blocks removed by the last undo.", registry=REGISTRY)
UNDONE = Gauge("monmouth_chain_undone_blocks", "Hashes of removed blocks held by the view.", registry=REGISTRY)
UNDONE_FORGOTTEN = Gauge(
    "monmouth_chain_undone_forgotten", "Hashes of removed blocks that the view let go, being full.", registry=REGISTRY
)
VIEW_LAG = Gauge(
    "monmouth_chain_view_lag_records", "Offsets of chain.blocks not folded in yet, at the last look.", registry=REGISTRY
)
GARBAGE = Counter(
    "monmouth_unreadable_records_total", "Records that are not what the topic holds.", ["topic"], registry=REGISTRY
)
TRANSACTIONS = Counter("monmouth_chain_transactions_total", "Transactions of NEW blocks read from the log.", registry=REGISTRY)
THROUGHPUT = Gauge(
    "monmouth_chain_throughput_tps", "Transactions of new blocks read from the log in the last second.", registry=REGISTRY
)
