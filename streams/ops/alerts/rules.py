"""Alert rules and their file.

A TOML file with a ``[[rule]]`` for each: name, description, condition, severity, evaluation_window, for, cooldown, channels,
enabled. Invariant: a file is taken whole or refused, with the rule and the field that are wrong.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streams.errors import ConfigurationError
from streams.ops.alerts.expression import ExpressionError, Node, duration, metrics_of, parse

ALL = "*"
RUNBOOK = "docs/runbook.md"
SEVERITIES = ("info", "warning", "critical")
MOST_RULES = 1_000


@dataclass(frozen=True, slots=True)
class Rule:
    """``hold``: seconds a condition must hold before the alert fires. ``cooldown``: least seconds between two firings.

    ``mutes``: rules that say the same less well, and are not told of the same process while this one fires; ``ALL``: all
    others.
    """

    name: str
    condition: str
    expression: Node
    severity: str = "warning"
    description: str = ""
    hold: float = 0.0
    cooldown: float = 300.0
    channels: tuple[str, ...] = ("log",)
    enabled: bool = True
    mutes: tuple[str, ...] = ()
    runbook: str = ""


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")
    condition: str
    description: str = Field("", max_length=1_000)
    severity: str = Field("warning", pattern=f"^({'|'.join(SEVERITIES)})$")
    evaluation_window: str = "60s"
    hold: str = Field("0s", alias="for")
    cooldown: str = "300s"
    channels: list[str] = Field(default=["log"], min_length=1, max_length=16)
    enabled: bool = True
    mutes: list[str] = Field(default=[], max_length=100)
    runbook: str = Field("", max_length=500)


# One failure among few requests is a large share and says nothing of the next ones: rules on shares take five, as burns do.
DEFAULTS = """
[[rule]]
name = "TargetDown"
description = "A process does not serve its metrics: nothing else is known of it."
condition = "target_up < 1"
severity = "critical"
for = "2s"
mutes = ["*"]

[[rule]]
name = "HighLatency"
description = "A question takes long: 95 of 100 are answered within this."
condition = "latency_p95_ms > 100"
severity = "warning"

[[rule]]
name = "ComponentFailed"
description = "A component has failed, and nothing that it needs has: a cause, and no consequence."
condition = "component_failed > 0"
severity = "critical"
for = "5s"
mutes = ["SystemHealthDegraded"]

[[rule]]
name = "SystemHealthDegraded"
description = "Many components of the deployment are not well, by what depends on them."
condition = "system_health_score < 0.8"
severity = "critical"
for = "5s"

[[rule]]
name = "HighErrorRate"
description = "More than a tenth of all requests fail, and more than a few."
condition = "error_rate > 0.1 and failed_requests >= 5"
severity = "warning"

[[rule]]
name = "AvailabilityLow"
description = "Fewer than 99 of 100 requests succeed, and more than a few fail."
condition = "availability_percentage < 99 and failed_requests >= 5"
severity = "critical"
evaluation_window = "10m"
cooldown = "30m"
mutes = ["HighErrorRate"]

[[rule]]
name = "SloBurnFast"
description = "The budget of an objective burns so fast that a tenth of it is gone within hours."
condition = "slo_burn{speed=\\"fast\\"} > 1"
severity = "critical"
mutes = ["SloBurnSlow"]

[[rule]]
name = "SloBurnSlow"
description = "The budget of an objective burns faster than it may over days."
condition = "slo_burn{speed=\\"slow\\"} > 1"
cooldown = "6h"

[[rule]]
name = "HighMemory"
description = "A process holds more than 8 GiB."
condition = "memory_usage_mb > 8192"
evaluation_window = "2m"

[[rule]]
name = "FallingBehind"
description = "A partition waits long for its stream agent; `monmouth_runtime_seconds_behind` says which ones."
condition = "max by (agent) (runtime_seconds_behind) > 30"
for = "30s"

[[rule]]
name = "ReorgBelowFinality"
description = "Blocks that were final left the chain."
condition = "increase(producer_reorgs_below_final_total[5m]) > 0"
severity = "critical"

[[rule]]
name = "LogIntegrity"
description = "A log is not what its markers say; a stream agent stopped in front of it."
condition = "increase(runtime_integrity_stops_total[5m]) > 0"
severity = "critical"

[[rule]]
name = "DeadLetters"
description = "Records could not be processed; `monmouth dlq list` shows them."
condition = "increase(runtime_dead_letters_total[5m]) > 0"

[[rule]]
name = "DiskFillsUp"
description = "The disk of the state folder is nearly full."
condition = "disk_usage_percent > 90"
severity = "critical"
"""


def default_rules() -> list[Rule]:
    """What is watched where no file says otherwise."""
    rules = rules_of(DEFAULTS, "the default rules")
    return [replace(rule, runbook=f"{RUNBOOK}#{rule.name.lower()}") for rule in rules]


def load_rules(path: Path) -> list[Rule]:
    """Rules of a file. Raises ConfigurationError."""
    try:
        return rules_of(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from None


def rules_of(text: str, place: str) -> list[Rule]:
    """Rules of a text; ``place`` names it in errors. Raises ConfigurationError."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{place} is not TOML: {error}") from None
    rows = said.pop("rule", [])
    if said or not isinstance(rows, list) or len(rows) > MOST_RULES:
        raise ConfigurationError(f"{place} holds more than at most {MOST_RULES} [[rule]] tables: {', '.join(said)}")
    rules = [_rule(row, f"{place}, rule {number}") for number, row in enumerate(rows, 1)]
    names = [rule.name for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"{place} has two rules called {twice[0]}")
    if strange := sorted({other for rule in rules for other in rule.mutes} - {*names, ALL}):
        raise ConfigurationError(f"{place} mutes {strange[0]}, which is no rule of it")
    return rules


def _rule(row: Any, place: str) -> Rule:
    try:
        said = _Said.model_validate(row)
        return Rule(
            name=said.name,
            condition=said.condition,
            expression=parse(said.condition, said.evaluation_window),
            severity=said.severity,
            description=said.description,
            hold=duration(said.hold),
            cooldown=duration(said.cooldown),
            channels=tuple(dict.fromkeys(said.channels)),
            enabled=said.enabled,
            mutes=tuple(said.mutes),
            runbook=said.runbook,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(f"{place}: {'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}") from None
    except ExpressionError as error:
        raise ConfigurationError(f"{place}: {error.message}", error.hint) from None


def longest_window(rules: Sequence[Rule]) -> float:
    """Seconds of the past that the rules look at."""
    ranges = [metric.seconds or 0.0 for rule in rules for metric in metrics_of(rule.expression)]
    return max(ranges, default=0.0)
