"""What recovery measures."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from streams.metrics import REGISTRY

OPERATIONS = Counter(
    "monmouth_recovery_operations_total",
    "Attempts to heal a process, by strategy and whether it was well and got on afterwards (healed, failed), or a person is "
    "asked (asked).",
    ["strategy", "outcome"],
    registry=REGISTRY,
)
PROGRAMS = Gauge("monmouth_recovery_programs", "Programs under supervision, by how they are.", ["state"], registry=REGISTRY)
