"""Alert rules and their file.

A TOML file with a ``[[rule]]`` for each: name, description, condition, severity, evaluation_window, for, cooldown, channels,
enabled. Invariant: a file is taken whole or refused, with the rule and the field that are wrong.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streams.errors import ConfigurationError
from streams.ops.alerts.expression import ExpressionError, Node, duration, metrics_of, parse

ALL = "*"
LOG = "log"
"""The channel that is always there."""
SEVERITIES = ("info", "warning", "critical")
MOST_RULES = 1_000


@dataclass(frozen=True, slots=True)
class AlertRule:
    """``evaluation_window``: seconds that the names of ``SHORT`` look at. ``hold``: seconds a condition must hold before the
    alert fires. ``cooldown``: least seconds between two firings. Raises ExpressionError for a condition that is none.

    ``mutes``: rules that say the same less well, and are not told of the same process while this one fires; ``ALL``: all
    others.
    """

    name: str
    condition: str
    severity: str = "warning"
    description: str = ""
    evaluation_window: float = 60.0
    hold: float = 0.0
    cooldown: float = 300.0
    channels: tuple[str, ...] = ("log",)
    enabled: bool = True
    mutes: tuple[str, ...] = ()
    runbook: str = ""
    expression: Node = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", parse(self.condition, f"{round(1000 * self.evaluation_window)}ms"))


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


def load_rules(path: Path) -> list[AlertRule]:
    """Rules of a file. Raises ConfigurationError."""
    try:
        return rules_of(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from None


def rules_of(text: str, place: str) -> list[AlertRule]:
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


def _rule(row: Any, place: str) -> AlertRule:
    try:
        said = _Said.model_validate(row)
        return AlertRule(
            name=said.name,
            condition=said.condition,
            severity=said.severity,
            description=said.description,
            evaluation_window=duration(said.evaluation_window),
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


def longest_window(rules: Sequence[AlertRule]) -> float:
    """Seconds of the past that the rules look at."""
    ranges = [metric.seconds or 0.0 for rule in rules for metric in metrics_of(rule.expression)]
    return max(ranges, default=0.0)
