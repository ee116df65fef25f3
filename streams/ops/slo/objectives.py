"""Objectives and their file: which events count, which of them are bad, and what share may be.

A TOML file with an ``[[objective]]`` for each: name, description, target, least_bad, total, and bad or good, which are metrics
with matchers. Invariant: a file is taken whole or refused, with the objective and the field that are wrong.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from streams.errors import ConfigurationError
from streams.ops.alerts.expression import ExpressionError, Metric, parse
from streams.ops.reports import MetricReport, MetricSample, is_count
from streams.settings import Settings

MOST_OBJECTIVES = 20
LEAST_BAD = 5
"""Bad events in the long window of a burn alert, below which there is none. One failure among the few events of a quiet hour
burns a budget many times over and says nothing of the next hour. Failures that come singly, at the pace the budget allows,
make five where an alert at six times that pace looks in fewer than 2 of 1,000 windows, however few events there are. Bad
events are counted and not all events, so that a quiet service that fails altogether is still told of.
"""
DEFAULTS = """
[[objective]]
name = "availability"
description = "Requests to a gateway that it answers without a failure of its own."
target = 0.999
total = "http_request_latency_ms_count"
bad = 'http_request_latency_ms_count{status=~"5.."}'

[[objective]]
name = "latency"
description = "Questions that are answered within 100 ms."
target = 0.95
total = "rag_query_latency_ms_count"
good = 'rag_query_latency_ms_bucket{le="100.0"}'

[[objective]]
name = "errors"
description = "Records that stream agents take in without giving one up as a dead letter."
target = 0.999
total = "runtime_records_total"
bad = "runtime_dead_letters_total"
"""


@dataclass(frozen=True, slots=True)
class Objective:
    """``target``: least share of the events that are good. Exactly one of ``bad`` and ``good`` is there.

    ``least_bad``: bad events that a burn alert takes.
    """

    name: str
    target: float
    total: Metric
    bad: Metric | None = None
    good: Metric | None = None
    description: str = ""
    least_bad: int = LEAST_BAD

    @property
    def allowed(self) -> float:
        """Share of the events that may be bad."""
        return 1 - self.target

    def counted(self, report: MetricReport) -> tuple[float, float] | None:
        """(all, bad) events that a process has counted since it began; None if it counts none, or says what is no count."""
        total = _sum(self.total, report)
        part = _sum(self._part, report) or 0.0
        if total is None or not (is_count(total) and is_count(part)):
            return None
        return total, part if self.good is None else total - part

    def looks_at(self, sample: MetricSample) -> bool:
        """Whether it counts by this sample."""
        return _is_of(self.total, sample) or _is_of(self._part, sample)

    @property
    def _part(self) -> Metric:
        part = self.bad or self.good
        assert part is not None
        return part


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    description: str = Field("", max_length=1_000)
    target: float = Field(gt=0, lt=1)
    least_bad: int = Field(LEAST_BAD, ge=1, le=1_000_000)
    total: str
    bad: str | None = None
    good: str | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.bad is None) == (self.good is None):
            raise ValueError("give bad or good")
        return self


def default_objectives() -> list[Objective]:
    """Where no file says otherwise."""
    return objectives_of(DEFAULTS, "the default objectives")


def load_objectives(path: Path) -> list[Objective]:
    """Of a file. Raises ConfigurationError."""
    try:
        return objectives_of(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from None


def objectives_in_use(settings: Settings, file: Path | None = None) -> list[Objective]:
    """Of ``file``, else of the settings' file, else those that come with it. Raises ConfigurationError."""
    said = settings.ops.slo_file
    if file is None and said is not None:
        file = settings.path(said)
    return default_objectives() if file is None else load_objectives(file)


def objectives_of(text: str, place: str) -> list[Objective]:
    """Of a text; ``place`` names it in errors. Raises ConfigurationError."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{place} is not TOML: {error}") from None
    rows = said.pop("objective", [])
    if said or not isinstance(rows, list) or not 0 < len(rows) <= MOST_OBJECTIVES:
        raise ConfigurationError(f"{place} holds other than 1 to {MOST_OBJECTIVES} [[objective]] tables")
    found = [_objective(row, f"{place}, objective {number}") for number, row in enumerate(rows, 1)]
    names = [objective.name for objective in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"{place} has two objectives called {twice[0]}")
    return found


def _objective(row: Any, place: str) -> Objective:
    try:
        said = _Said.model_validate(row)
        return Objective(
            said.name,
            said.target,
            _metric(said.total),
            None if said.bad is None else _metric(said.bad),
            None if said.good is None else _metric(said.good),
            said.description,
            said.least_bad,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(f"{place}: {'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}") from None
    except ExpressionError as error:
        raise ConfigurationError(f"{place}: {error.message}", error.hint) from None


def _metric(text: str) -> Metric:
    node = parse(text)
    if not isinstance(node, Metric) or node.seconds is not None:
        raise ExpressionError(f"{text} is no metric", "Name a counter, with matchers if need be and without a range.")
    return node


def _sum(metric: Metric, report: MetricReport) -> float | None:
    found = [sample.value for sample in report.samples if _is_of(metric, sample)]
    return sum(found) if found else None


def _is_of(metric: Metric, sample: MetricSample) -> bool:
    return sample.name == metric.name and all(matcher.matches(dict(sample.labels)) for matcher in metric.matchers)


def named(objectives: Sequence[Objective]) -> dict[str, Objective]:
    """By name."""
    return {objective.name: objective for objective in objectives}
