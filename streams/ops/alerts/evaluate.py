"""What an expression comes to: a number, or one for each series that meets it.

As in PromQL: an arithmetic operation pairs series of equal labels, a comparison keeps the series for which it holds, ``and``
keeps those of the left side that the right side has too, ``unless`` those that it has not, ``or`` adds those that only the
right side has; a side that is a condition on the whole goes with every series of the other. A number on one side
goes with every series of the other. So a rule holds where anything is left, once per series.
Where it differs: percentiles are ``histogram_quantile`` of the increase of a histogram's buckets over the range, by the labels
without ``le``; an increase over a restart of the process starts from zero. What has no data is not there, and never zero.
"""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise

from streams.ops.alerts.expression import (
    ABS,
    COMPARISONS,
    GROWTH,
    JOINTS,
    QUANTILES,
    TRENDS,
    Binary,
    Call,
    Metric,
    Node,
    Number,
)
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
            return _quantile(QUANTILES[function], argument, call.by, series, now)
        return _ranged(call, argument, series, now)
    inner = evaluate(argument, series, now)
    if function == ABS:
        return {labels: abs(value) for labels, value in inner.items()} if isinstance(inner, dict) else abs(inner)
    if not isinstance(inner, dict):
        return {(): _ACROSS[function]([inner])}
    return _across(function, call.by, inner)


def _ranged(call: Call, metric: Metric, series: Series, now: float) -> Vector:
    pasts = series.window(metric, now)
    if call.function in TRENDS:
        over = {labels: _trend(*past, now, call.ahead, slope=call.function == "deriv") for labels, past in pasts.items()}
    else:
        over = {labels: _over_time(call.function, *past) for labels, past in pasts.items()}
    found = {labels: value for labels, value in over.items() if value is not None}
    return _across("sum", call.by, found) if call.by and call.function in GROWTH else found


def _across(function: str, by: tuple[str, ...], values: Vector) -> Vector:
    grouped: dict[Labels, list[float]] = {}
    for labels, value in values.items():
        if not math.isnan(value):
            grouped.setdefault(tuple(pair for pair in labels if pair[0] in by), []).append(value)
    return {labels: _ACROSS[function](group) for labels, group in grouped.items()}


def _trend(times: Sequence[float], values: Sequence[float], now: float, ahead: float, *, slope: bool) -> float | None:
    """Of the line that fits best: its slope per second, or its value ``ahead`` of now; None where there is no such number."""
    if len(values) < 2 or times[-1] <= times[0]:
        return None
    try:
        steepness, middle = statistics.linear_regression([at - now for at in times], values)
    except (ValueError, OverflowError):  # a value is not finite, or they are too large to be summed
        return None
    found = steepness if slope else middle + steepness * ahead
    return found if math.isfinite(found) else None


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


def _quantile(wanted: float, metric: Metric, by: tuple[str, ...], series: Series, now: float) -> Vector:
    buckets = Metric(metric.name + "_bucket", metric.matchers, metric.seconds)
    grouped: dict[Labels, dict[float, float]] = {}
    for labels, (_, values) in series.window(buckets, now).items():
        bound = next((float(value) for name, value in labels if name == "le"), None)
        if bound is not None and len(values) > 1:
            rest = tuple(pair for pair in labels if pair[0] != "le" and (not by or pair[0] in by))
            counts = grouped.setdefault(rest, {})
            counts[bound] = counts.get(bound, 0.0) + increase(values)
    found = {labels: _within(wanted, sorted(counts.items())) for labels, counts in grouped.items()}
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
    if sign in JOINTS:
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
        both = {"and": bool(left) and bool(right), "or": bool(left) or bool(right), "unless": bool(left) and not right}
        return float(both[sign])
    one, other = _vector(left), _vector(right)
    if sign == "or":
        return other | one
    if sign == "unless":
        if () in other or (other and () in one):
            return {}
        return {labels: value for labels, value in one.items() if labels not in other}
    if () in other:  # a condition on the whole goes with every series
        return one
    if () in one:
        return other
    return {labels: value for labels, value in one.items() if labels in other}


def _vector(side: float | Vector) -> Vector:
    if isinstance(side, dict):
        return side
    return {(): side} if side else {}
