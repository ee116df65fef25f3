"""Alert rules as Prometheus takes them: the same expression in PromQL, and a rule file around it.

Assumes that Prometheus scrapes the same /metrics. Invariant: what has no counterpart is refused, never approximated.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from streams.ops.alerts.expression import (
    ABS,
    COMPARISONS,
    GROWTH,
    JOINTS,
    OVER_SERIES,
    QUANTILES,
    TRENDS,
    Binary,
    Call,
    ExpressionError,
    Metric,
    Node,
    Number,
)
from streams.ops.alerts.rules import AlertRule
from streams.ops.alerts.series import UP

JOBS = ".*monmouth.*"


def promql(node: Node) -> str:
    """An expression. Raises ExpressionError for a condition on numbers alone, which PromQL does not know."""
    match node:
        case Number(value=value):
            return repr(value).removesuffix(".0")
        case Metric():
            return _metric(node)
        case Call():
            return _call(node)
        case Binary(sign=sign, left=left, right=right):
            return _binary(sign, left, right)


def rule_group(rules: Sequence[AlertRule], interval: float) -> dict[str, Any]:
    """The rule file (as YAML or JSON, which is YAML) for ``promtool check rules``; ``interval``: seconds between two looks.

    The label ``channels`` is what Alertmanager's routes go by.
    """
    found = [
        {
            "alert": rule.name,
            "expr": promql(rule.expression),
            "for": f"{rule.hold:g}s",
            "labels": {"severity": rule.severity, "channels": f",{','.join(rule.channels)},"},
            "annotations": {"description": rule.description, "condition": rule.condition, "runbook_url": rule.runbook},
        }
        for rule in rules
        if rule.enabled
    ]
    return {"groups": [{"name": "monmouth", "interval": f"{max(1, round(1000 * interval))}ms", "rules": found}]}


def _metric(metric: Metric, suffix: str = "") -> str:
    matchers = ",".join(f"{m.label}{m.sign}{json.dumps(m.value)}" for m in metric.matchers)
    ranged = "" if metric.seconds is None else f"[{round(metric.seconds * 1000)}ms]"
    if metric.name == UP:  # Prometheus' own name for it, which it has for the programs of others too
        matchers = ",".join(filter(None, [matchers, f'job=~"{JOBS}"']))
    name = "up" if metric.name == UP else metric.name
    return name + suffix + (f"{{{matchers}}}" if matchers else "") + ranged


def _call(call: Call) -> str:
    function, argument = call.function, call.argument
    if not isinstance(argument, Metric) or argument.seconds is None:
        return f"{function}{_grouping(call.by)}({promql(argument)})"
    if function in QUANTILES:
        counts = f"increase({_metric(argument, '_bucket')})"
        merged = f"sum{_grouping((*call.by, 'le'))}({counts})" if call.by else counts
        return f"histogram_quantile({QUANTILES[function]}, {merged})"
    if function == "predict_linear":
        return f"{function}({_metric(argument)}, {promql(Number(call.ahead))})"
    name = function if function in GROWTH | TRENDS else f"{function}_over_time"
    found = f"{name}({_metric(argument)})"
    return f"sum{_grouping(call.by)}({found})" if call.by else found


def _grouping(by: Sequence[str]) -> str:
    return f" by ({', '.join(by)}) " if by else ""


def _binary(sign: str, left: Node, right: Node) -> str:
    if _constant(left) and _constant(right) and sign in COMPARISONS | JOINTS:
        raise ExpressionError("a condition on numbers alone has no counterpart in PromQL", "Compare a metric with a number.")
    if sign in {"and", "unless"}:
        if _constant(left) or _constant(right):
            raise ExpressionError(
                f"`{sign}` with a bare number has no counterpart in PromQL", "Compare a metric with a number."
            )
        if sign == "and" and _whole(left) and not _whole(right):
            left, right = right, left
        sign = f"{sign} on()" if _whole(right) != _whole(left) else sign
    return f"({promql(left)}) {sign} ({promql(right)})"


def _constant(node: Node) -> bool:
    match node:
        case Number():
            return True
        case Binary(left=left, right=right):
            return _constant(left) and _constant(right)
        case _:
            return False


def _whole(node: Node) -> bool:
    """Whether it comes to one value without labels: an aggregate over series, or made of such."""
    match node:
        case Call(function=function, argument=argument) if function == ABS:
            return _whole(argument)
        case Call(function=function, argument=argument, by=by):
            return function in OVER_SERIES and not by and not (isinstance(argument, Metric) and argument.seconds is not None)
        case Binary(left=left, right=right):
            return (_whole(left) or _constant(left)) and (_whole(right) or _constant(right))
        case _:
            return False
