"""Burn rates for Prometheus: rules that record, from the counters themselves, what the watch by the log knows from ops.slo.

Both call it the same: ``monmouth_slo_burn_rate{objective,window}`` and ``monmouth_slo_burn{objective,speed}``, so one alert
rule serves both. Invariants: where nothing happened within a window there is no burn, since 0 / 0 compares with nothing; where
an objective has too few bad events for an alert its burn is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.ops.alerts.expression import Binary, Call, Metric, Node, Number
from streams.ops.alerts.promql import promql
from streams.ops.slo.budget import POLICIES, SPEEDS, WINDOWS, Policy
from streams.ops.slo.objectives import Objective

BURN_RATE = "monmouth_slo_burn_rate"
BURN = "monmouth_slo_burn"
BURN_OF_POLICY = "monmouth_slo_burn_of_policy"
"""Of each policy of a speed, by its long window."""
ENOUGH = "monmouth_slo_bad_enough"
"""1 where a long window holds as many bad events as an alert takes, else 0."""
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
        {"record": ENOUGH, "expr": _enough(objective, window), "labels": {"objective": objective.name, "window": window}}
        for objective in objectives
        for window in dict.fromkeys(policy.long for policy in POLICIES)
    ]
    rules += [
        {"record": BUDGET_LEFT, "expr": f"1 - {_burn_rate(objective, MONTH)}", "labels": {"objective": objective.name}}
        for objective in objectives
    ]
    rules += [
        {"record": BURN_OF_POLICY, "expr": _burn(policy), "labels": {"speed": policy.speed, "window": policy.long}}
        for policy in POLICIES
    ]
    rules += [
        {"record": BURN, "expr": f'max by (objective) ({BURN_OF_POLICY}{{speed="{speed}"}})', "labels": {"speed": speed}}
        for speed in SPEEDS
    ]
    return {"name": "monmouth-slo", "interval": f"{max(1, round(1000 * interval))}ms", "rules": rules}


def _burn_rate(objective: Objective, seconds: float) -> str:
    bad, total = _bad(objective, seconds), _sum(objective.total, seconds)
    return f"({promql(Binary('/', bad, total))}) / {objective.allowed:.9g}"


def _enough(objective: Objective, window: str) -> str:
    """Half an event is left to ``increase``, which reckons what lies between the edge of a window and the first look in it."""
    return f"({promql(_bad(objective, WINDOWS[window]))}) >= bool {objective.least_bad - 0.5:g}"


def _bad(objective: Objective, seconds: float) -> Node:
    total = _sum(objective.total, seconds)
    if objective.good is not None:
        return Binary("-", total, _sum(objective.good, seconds))
    assert objective.bad is not None
    return Binary("or", _sum(objective.bad, seconds), Binary("*", Number(0.0), total))


def _sum(metric: Metric, seconds: float) -> Call:
    return Call("sum", Call("increase", Metric(metric.name, metric.matchers, seconds)))


def _burn(policy: Policy) -> str:
    """The lesser of two windows, both of which must have a rate; nothing of it where there are too few bad events."""
    long, short = (_of_window(f'{BURN_RATE}{{window="{window}"}} >= 0') for window in (policy.long, policy.short))
    enough = _of_window(f'{ENOUGH}{{window="{policy.long}"}}')
    return f"(({long} < {short}) or ({short} and {long})) * {enough} / {policy.factor:g}"


def _of_window(series: str) -> str:
    return f"max without (window) ({series})"
