"""Rules held against samples: what comes in, what is to be told. Pure: the clock is passed in.

Invariant: only metrics that a rule looks at are held, no longer than the longest of their ranges and a minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.ops.alerts.evaluate import holding
from streams.ops.alerts.expression import QUANTILES, Binary, Call, Metric, Node
from streams.ops.alerts.life import Alerts, Event
from streams.ops.alerts.rules import Rule, longest_window
from streams.ops.alerts.series import Sample, Series


class Judge:
    """``interval``: seconds between two samples of a series."""

    def __init__(self, rules: Sequence[Rule], interval: float) -> None:
        self.rules = [rule for rule in rules if rule.enabled]
        self.wanted = frozenset(name for rule in self.rules for name in names_of(rule.expression))
        self.alerts = Alerts()
        self._series = Series(longest_window(self.rules) + 2 * interval + 60)

    def take(self, samples: Iterable[Sample]) -> None:
        """Takes newer samples in."""
        self._series.add(samples)

    def step(self, now: float) -> list[Event]:
        """What is to be told at ``now``."""
        self._series.forget(now)
        return [
            event for rule in self.rules for event in self.alerts.step(rule, holding(rule.expression, self._series, now), now)
        ]


def names_of(node: Node) -> frozenset[str]:
    """Names of the samples that an expression reads; of a percentile those of the buckets."""
    match node:
        case Metric(name=name):
            return frozenset({name})
        case Call(function=function, argument=Metric(name=name)) if function in QUANTILES:
            return frozenset({f"{name}_bucket"})
        case Call(argument=argument):
            return names_of(argument)
        case Binary(left=left, right=right):
            return names_of(left) | names_of(right)
        case _:
            return frozenset()
