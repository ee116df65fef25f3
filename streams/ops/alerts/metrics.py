"""What a watch measures of itself. Invariant: each metric moves when what it names happens, and only then."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import Counter, Gauge, Histogram

from streams.metrics import REGISTRY
from streams.ops.alerts.life import Event
from streams.ops.alerts.rules import SEVERITIES

FIRED = Counter("monmouth_alerts_fired_total", "Alerts that began to fire and are told.", ["severity"], registry=REGISTRY)
FIRING = Gauge("monmouth_alerts_firing", "Alerts that fire now, told or not.", ["severity"], registry=REGISTRY)
TOLD = Counter(
    "monmouth_alerts_told_total",
    "Events by channel: taken by its receiver, refused for good, late and tried on, given up, or dropped for want of room.",
    ["channel", "outcome"],
    registry=REGISTRY,
)
OUTCOMES = ("taken", "refused", "late", "given up", "dropped")
TELLING = Histogram(
    "monmouth_alerts_telling_seconds",
    "From the decision that an alert fires or is over to the receiver's answer.",
    ["channel"],
    buckets=(0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300),
    registry=REGISTRY,
)
GARBAGE = Counter("monmouth_alerts_unreadable_reports_total", "Records of ops.metrics that are no reports.", registry=REGISTRY)
REFUSED = Counter(
    "monmouth_alerts_refused_total",
    "What a watch has no room for, so that rules say nothing of it: a sample of one series too many; an alert too many, at "
    "each look at the rules.",
    ["what"],
    registry=REGISTRY,
)


def decided(events: Sequence[Event], firing: Iterable[str], refused: Mapping[str, int]) -> None:
    """What a look at the rules came to; ``firing``: the severity of each alert that fires; ``refused``: since the last look."""
    for what, count in refused.items():
        REFUSED.labels(what).inc(count)
    for event in events:
        if event.state == "firing" and not event.silenced:
            FIRED.labels(event.rule.severity).inc()
    tally = Tally(firing)
    for severity in SEVERITIES:
        FIRING.labels(severity).set(tally[severity])
