"""The rules that come with the product, and whom they tell.

A rule of these names kinds of channels, since nobody knows what an operator calls his: a page goes to PagerDuty, a word to a
chat or a program, what can wait until tomorrow to a mailbox. Invariants: ``default_rules`` names channels that are there alone,
``log`` always; no warning goes to PagerDuty; a rule of which no kind is there goes to what is there, so that none is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streams.ops.alerts.rules import LOG, AlertRule, rules_of

RUNBOOK = "docs/runbook.md"
PAGES = "pagerduty"
"""The kind that wakes somebody."""

# One failure among few requests is a large share and says nothing of the next ones: rules on shares take five, as burns do.
DEFAULTS = """
[[rule]]
name = "TargetDown"
description = "A process does not serve its metrics: nothing else is known of it."
condition = "target_up < 1"
severity = "critical"
for = "2s"
channels = ["log", "pagerduty", "slack", "webhook"]
mutes = ["*"]

[[rule]]
name = "HighLatency"
description = "A question takes long: 95 of 100 are answered within this."
condition = "latency_p95_ms > 100"
severity = "warning"
channels = ["log", "slack", "webhook"]

[[rule]]
name = "LatencyStaysHigh"
description = "Questions take very long, and have for minutes."
condition = "latency_p95_ms > 200"
severity = "warning"
evaluation_window = "5m"
for = "2m"
cooldown = "10m"
channels = ["log", "slack", "webhook", "email"]
mutes = ["HighLatency"]

[[rule]]
name = "ComponentFailed"
description = "A component has failed, and nothing that it needs has: a cause, and no consequence."
condition = "component_failed > 0"
severity = "critical"
for = "5s"
channels = ["log", "pagerduty", "slack", "webhook"]
mutes = ["SystemHealthDegraded"]

[[rule]]
name = "SystemHealthDegraded"
description = "Many components of the deployment are not well, by what depends on them."
condition = "system_health_score < 0.8"
severity = "critical"
for = "5s"
channels = ["log", "pagerduty"]

[[rule]]
name = "HighErrorRate"
description = "More than a tenth of all requests fail, and more than a few."
condition = "error_rate > 0.1 and failed_requests >= 5"
severity = "warning"
channels = ["log", "email"]

[[rule]]
name = "ErrorRateCritical"
description = "More than one of 20 requests of the last minutes failed, and more than a few."
condition = "error_rate > 0.05 and failed_requests >= 5"
severity = "critical"
evaluation_window = "5m"
cooldown = "15m"
channels = ["log", "pagerduty", "slack", "webhook"]
mutes = ["HighErrorRate"]

[[rule]]
name = "AvailabilityLow"
description = "Fewer than 99 of 100 requests succeed, and more than a few fail."
condition = "availability_percentage < 99 and failed_requests >= 5"
severity = "critical"
evaluation_window = "10m"
cooldown = "30m"
channels = ["log", "pagerduty", "slack", "webhook"]
mutes = ["HighErrorRate", "ErrorRateCritical"]

[[rule]]
name = "SloBurnFast"
description = "The budget of an objective burns so fast that a tenth of it is gone within hours."
condition = "slo_burn{speed=\\"fast\\"} > 1"
severity = "critical"
channels = ["log", "pagerduty", "slack", "webhook"]
mutes = ["SloBurnSlow"]

[[rule]]
name = "SloBurnSlow"
description = "The budget of an objective burns faster than it may over days."
condition = "slo_burn{speed=\\"slow\\"} > 1"
severity = "warning"
cooldown = "6h"
channels = ["log", "slack", "webhook", "email"]

[[rule]]
name = "HighMemory"
description = "A process holds more than 8 GiB, and has for minutes."
condition = "avg(memory_usage_mb[2m]) > 8192"
severity = "warning"
channels = ["log", "slack", "webhook", "email"]

[[rule]]
name = "FallingBehind"
description = "A partition waits long for its stream agent; `monmouth_runtime_seconds_behind` says which ones."
condition = "max by (agent) (runtime_seconds_behind) > 30"
severity = "warning"
for = "30s"
channels = ["log", "slack", "webhook", "email"]

[[rule]]
name = "ReorgBelowFinality"
description = "Blocks that were final left the chain."
condition = "increase(producer_reorgs_below_final_total[5m]) > 0"
severity = "critical"
channels = ["log", "pagerduty", "slack", "webhook"]

[[rule]]
name = "LogIntegrity"
description = "A log is not what its markers say; a stream agent stopped in front of it."
condition = "increase(runtime_integrity_stops_total[5m]) > 0"
severity = "critical"
channels = ["log", "pagerduty", "slack", "webhook"]

[[rule]]
name = "DeadLetters"
description = "Records could not be processed; `monmouth dlq list` shows them."
condition = "increase(runtime_dead_letters_total[5m]) > 0"
severity = "warning"
channels = ["log", "slack", "webhook", "email"]

[[rule]]
name = "DiskFillsUp"
description = "The disk of the state folder is nearly full."
condition = "disk_usage_percent > 90"
severity = "critical"
channels = ["log", "pagerduty", "slack", "webhook"]

[[rule]]
name = "AlertsNotTold"
description = "A channel did not take events: who reads it does not know of them."
condition = "sum by (channel) (increase(alerts_told_total{outcome!=\\"taken\\"}[10m])) > 0"
severity = "warning"
cooldown = "1h"
channels = ["log", "slack", "webhook", "email"]
"""


def shipped_rules() -> list[AlertRule]:
    """As they are written: their channels are kinds."""
    rules = rules_of(DEFAULTS, "the default rules")
    return [replace(rule, runbook=f"{RUNBOOK}#{rule.name.lower()}") for rule in rules]


def default_rules(channels: Mapping[str, str] | None = None) -> list[AlertRule]:
    """What is watched where no file says otherwise. ``channels``: those of the channels' file, each with its kind."""
    return [replace(rule, channels=_told(rule, channels or {})) for rule in shipped_rules()]


def _told(rule: AlertRule, channels: Mapping[str, str]) -> tuple[str, ...]:
    logs = dict.fromkeys([LOG, *(name for name, kind in channels.items() if kind == LOG)])
    others = {name: kind for name, kind in channels.items() if name not in logs}
    named = [name for name, kind in others.items() if kind in rule.channels]
    usable = [name for name, kind in others.items() if rule.severity == "critical" or kind != PAGES]
    return (*logs, *(named or usable))
