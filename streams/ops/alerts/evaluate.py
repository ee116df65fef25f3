"""What an expression comes to: a number, or one for each series that meets it.

As in PromQL: an arithmetic operation pairs series of equal labels, a comparison keeps the series for which it holds, ``and``
keeps those of the left side that the right side has too, ``or`` adds those that only the right side has. A number on one side
goes with every series of the other. So a rule holds where anything is left, once per series.
Where it differs: percentiles are ``histogram_quantile`` of the increase of a histogram's buckets over the range, by the labels
without ``le``; an increase over a restart of the process starts from zero. What has no data is not there, and never zero.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from itertools import pairwise

from streams.ops.alerts.expression import COMPARISONS, QUANTILES, Binary, Call, Metric, Node, Number
from streams.ops.alerts.series import Labels, Series

Vector = dict[Labels, float]
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: left / right if right else math.nan,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_ACROSS: dict[str, Callable[[Sequence[float]], float]] = {
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "sum": sum,
    "count": lambda values: float(len(values)),
}


def evaluate(node: Node, series: Series, now: float) -> float | Vector:
    """The value at ``now``; a rule holds for every entry of a vector, or if the number is not zero."""
    match node:
        case Number(value=value):
            return value
        case Metric():
            return series.newest(node, now)
        case Call():
            return _call(node, series, now)
        case Binary(sign=sign, left=left, right=right):
            return _binary(sign, evaluate(left, series, now), evaluate(right, series, now))


def holding(node: Node, series: Series, now: float) -> Vector:
    """Where a rule holds, with the value that shows it; empty: nowhere. A condition on numbers alone holds under no labels."""
    found = evaluate(node, series, now)
    if isinstance(found, dict):
        return {labels: value for labels, value in found.items() if not math.isnan(value)}
    return {(): found} if found else {}


def _call(call: Call, series: Series, now: float) -> float | Vector:
    function, argument = call.function, call.argument
    if isinstance(argument, Metric) and argument.seconds is not None:
        if function in QUANTILES:
            return _quantile(QUANTILES[function], argument, series, now)
        over = {labels: _over_time(function, *past) for labels, past in series.window(argument, now).items()}
        return {labels: value for labels, value in over.items() if value is not None}
    inner = evaluate(argument, series, now)
    grouped: dict[Labels, list[float]] = {}
    for labels, value in inner.items() if isinstance(inner, dict) else [((), inner)]:
        if not math.isnan(value) or not isinstance(inner, dict):
            grouped.setdefault(tuple(pair for pair in labels if pair[0] in call.by), []).append(value)
    return {labels: _ACROSS[function](values) for labels, values in grouped.items()}


def _over_time(function: str, times: Sequence[float], values: Sequence[float]) -> float | None:
    if function == "last":
        return values[-1]
    if function in _ACROSS:
        return _ACROSS[function](values)
    if len(values) < 2:
        return None
    if function == "delta":
        return values[-1] - values[0]
    if function == "increase":
        return increase(values)
    return increase(values) / (times[-1] - times[0]) if times[-1] > times[0] else None


def increase(values: Sequence[float]) -> float:
    """Growth of a counter; where it falls, the process began anew from zero."""
    return sum(after - before if after >= before else after for before, after in pairwise(values))


def _quantile(wanted: float, metric: Metric, series: Series, now: float) -> Vector:
    buckets = Metric(metric.name + "_bucket", metric.matchers, metric.seconds)
    grouped: dict[Labels, list[tuple[float, float]]] = {}
    for labels, (_, values) in series.window(buckets, now).items():
        bound = next((float(value) for name, value in labels if name == "le"), None)
        if bound is not None and len(values) > 1:
            rest = tuple(pair for pair in labels if pair[0] != "le")
            grouped.setdefault(rest, []).append((bound, increase(values)))
    found = {labels: _within(wanted, sorted(counts)) for labels, counts in grouped.items()}
    return {labels: value for labels, value in found.items() if value is not None}


def _within(wanted: float, counts: Sequence[tuple[float, float]]) -> float | None:
    """Linear within the bucket, as Prometheus does; the highest finite bound if it lies above all of them."""
    total = counts[-1][1]
    if not total or not math.isinf(counts[-1][0]):
        return None
    rank, lower, below = wanted * total, 0.0, 0.0
    for bound, count in counts:
        if count >= rank:
            if math.isinf(bound):
                return lower
            return lower + (bound - lower) * (rank - below) / (count - below) if count > below else bound
        lower, below = bound, count
    return lower


def _binary(sign: str, left: float | Vector, right: float | Vector) -> float | Vector:
    if sign in {"and", "or"}:
        return _logical(sign, left, right)
    if isinstance(left, dict) and isinstance(right, dict):
        pairs = {labels: (value, right[labels]) for labels, value in left.items() if labels in right}
    elif isinstance(left, dict):
        assert not isinstance(right, dict)
        pairs = {labels: (value, right) for labels, value in left.items()}
    elif isinstance(right, dict):
        pairs = {labels: (left, value) for labels, value in right.items()}
    else:
        return float(_COMPARE[sign](left, right)) if sign in COMPARISONS else _ARITHMETIC[sign](left, right)
    if sign not in COMPARISONS:
        return {labels: _ARITHMETIC[sign](*pair) for labels, pair in pairs.items()}
    shown = 0 if isinstance(left, dict) else 1
    return {labels: pair[shown] for labels, pair in pairs.items() if _COMPARE[sign](*pair)}


def _logical(sign: str, left: float | Vector, right: float | Vector) -> float | Vector:
    if not isinstance(left, dict) and not isinstance(right, dict):
        return float(bool(left) and bool(right)) if sign == "and" else float(bool(left) or bool(right))
    one, other = _vector(left), _vector(right)
    if sign == "or":
        return other | one
    if () in other:  # a condition on the whole goes with every series
        return one
    if () in one:
        return other
    return {labels: value for labels, value in one.items() if labels in other}


def _vector(side: float | Vector) -> Vector:
    if isinstance(side, dict):
        return side
    return {(): side} if side else {}
