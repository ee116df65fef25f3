"""What the indexes of agents measure of themselves."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from streams.metrics import REGISTRY

INDEX_BYTES = Gauge("monmouth_agent_index_bytes", "Memory held by indexes of agents, estimated.", registry=REGISTRY)
INDEX_AGENTS = Gauge("monmouth_agent_index_agents", "Agents whose index is held.", registry=REGISTRY)
INDEX_BUILDS = Counter("monmouth_agent_index_builds_total", "Indexes made from all rows of an agent.", registry=REGISTRY)
INDEX_ROWS = Counter("monmouth_agent_index_rows_total", "Rows read to keep indexes up to date.", registry=REGISTRY)
INDEX_EVICTIONS = Counter("monmouth_agent_index_evictions_total", "Indexes given up for want of room.", registry=REGISTRY)
INDEX_TOO_LARGE = Counter(
    "monmouth_agent_index_too_large_total", "Queries answered by vectors alone, the index being too large.", registry=REGISTRY
)
