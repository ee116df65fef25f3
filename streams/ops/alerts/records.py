"""Alerts as records of ops.alerts, and back. Pure.

That an alert is over because nobody measures it any more, or that nobody is told of it, is told by the summary alone, whose
beginning says so: in the record its state is ``firing`` or ``resolved``, which is all that older readers know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from streams.ops.alerts.life import GONE, SILENCED, Event
from streams.ops.alerts.rules import AlertRule
from streams.ops.alerts.series import Labels
from streams.ops.reports import AlertRecord

HAND = "by hand: "
"""Begins, behind the state, the summary of what a person declared over."""


def record_of(event: Event) -> AlertRecord:
    """The state of an alert that an event brings about."""
    return AlertRecord(
        rule=event.rule.name,
        labels=dict(event.labels),
        severity=event.rule.severity,
        state="firing" if event.state == "firing" else "resolved",
        at_ms=round(1000 * event.at),
        value=event.value if math.isfinite(event.value) else 0.0,
        summary=event.summary,
    )


def event_of(record: AlertRecord, rules: Mapping[str, AlertRule]) -> Event | None:
    """What to tell of a record; None if its rule is no more."""
    rule = rules.get(record.rule)
    at = record.at_ms / 1000
    gone = record.summary.startswith(f"[{GONE}]")
    return None if rule is None else Event(rule, labels_of(record), record.state, record.value, at, at, gone, silenced(record))


def silenced(record: AlertRecord) -> bool:
    """Whether nobody was told."""
    return record.summary.startswith(f"[{SILENCED}]")


def by_hand(record: AlertRecord) -> bool:
    """Whether a person declared it over."""
    return record.state == "resolved" and record.summary.partition("] ")[2].startswith(HAND)


def labels_of(record: AlertRecord) -> Labels:
    return tuple(sorted(record.labels.items()))
