"""What the gateway measures of its dashboard."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from streams.metrics import REGISTRY

VIEWERS = Gauge("monmouth_dashboard_viewers", "Dashboards that are open at this gateway.", registry=REGISTRY)
VIEWERS_DROPPED = Counter(
    "monmouth_dashboard_viewers_dropped_total",
    "Dashboards that were let go since they took frames too slowly.",
    registry=REGISTRY,
)
