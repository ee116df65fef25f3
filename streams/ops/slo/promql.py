"""Burn rates for Prometheus: rules that record, from the counters themselves, what the watch by the log knows from ops.slo.

Both call it the same: ``monmouth_slo_burn_rate{objective,window}`` and ``monmouth_slo_burn{objective,speed}``, so one alert
rule serves both. Invariant: where nothing happened within a window there is no burn, since 0 / 0 compares with nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.ops.alerts.expression import Binary, Call, Metric, Number
from streams.ops.alerts.promql import promql
from streams.ops.slo.budget import POLICIES, SPEEDS, WINDOWS, Policy
from streams.ops.slo.objectives import Objective

BURN_RATE = "monmouth_slo_burn_rate"
BURN = "monmouth_slo_burn"
BUDGET_LEFT = "monmouth_slo_budget_left"
MONTH = 30 * 86_400.0
"""Of the budget that Prometheus shows; the report goes by the calendar."""


def recording_group(objectives: Sequence[Objective], interval: float) -> dict[str, Any]:
    """A group of a rule file, to stand before the alerts that look at what it records."""
    rules = [
        {"record": BURN_RATE, "expr": _burn_rate(objective, seconds), "labels": {"objective": objective.name, "window": window}}
        for objective in objectives
        for window, seconds in WINDOWS.items()
    ]
    rules += [
        {"record": BUDGET_LEFT, "expr": f"1 - {_burn_rate(objective, MONTH)}", "labels": {"objective": objective.name}}
        for objective in objectives
    ]
    rules += [{"record": BURN, "expr": _burn(speed), "labels": {"speed": speed}} for speed in SPEEDS]
    return {"name": "monmouth-slo", "interval": f"{max(1, round(1000 * interval))}ms", "rules": rules}


def _burn_rate(objective: Objective, seconds: float) -> str:
    total = _rate(objective.total, seconds)
    if objective.good is not None:
        bad: Any = Binary("-", total, _rate(objective.good, seconds))
    else:
        assert objective.bad is not None
        bad = Binary("or", _rate(objective.bad, seconds), Binary("*", Number(0.0), total))
    return f"({promql(Binary('/', bad, total))}) / {objective.allowed:.9g}"


def _rate(metric: Metric, seconds: float) -> Call:
    return Call("sum", Call("increase", Metric(metric.name, metric.matchers, seconds)))


def _burn(speed: str) -> str:
    """The greatest of its policies."""
    first, second = (_both(policy) for policy in POLICIES if policy.speed == speed)
    return f"(({first}) > ({second})) or ({second}) or ({first})"


def _both(policy: Policy) -> str:
    """The lesser of two windows, both of which must have a rate."""
    windows = [f'max without (window) ({BURN_RATE}{{window="{window}"}} >= 0)' for window in (policy.long, policy.short)]
    long, short = windows
    return f"(({long} < {short}) or ({short} and {long})) / {policy.factor:g}"
