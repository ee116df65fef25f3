"""What the gateway measures of its dashboard."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from streams.metrics import REGISTRY

VIEWERS = Gauge("monmouth_dashboard_viewers", "Dashboards that are open at this gateway.", registry=REGISTRY)
CLOCK_FAILURES = Counter(
    "monmouth_dashboard_clock_failures_total",
    "Times that the dashboard could not take a point of its series: a defect, told in the gateway's log.",
    registry=REGISTRY,
)
SAMPLES_REFUSED = Counter(
    "monmouth_dashboard_samples_refused_total",
    "Samples that the dashboard leaves out since they are no numbers, or too great to reckon with.",
    registry=REGISTRY,
)
VIEWERS_DROPPED = Counter(
    "monmouth_dashboard_viewers_dropped_total",
    "Dashboards that were let go since they took frames too slowly.",
    registry=REGISTRY,
)
