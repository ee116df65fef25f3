"""Rules held against samples: what comes in, what is to be told. Pure: the clock is passed in.

Invariant: only metrics that a rule looks at are held, no longer than the longest of their ranges and a minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from streams.ops.alerts.evaluate import holding
from streams.ops.alerts.expression import QUANTILES, Binary, Call, Metric, Node, metrics_of
from streams.ops.alerts.life import Alerts, Event
from streams.ops.alerts.rules import ALL, AlertRule, longest_window
from streams.ops.alerts.series import Labels, Sample, Series
from streams.ops.alerts.silences import Silences

PLACE = ("instance", "target", "objective")
"""As in what is inhibited by Alertmanager. The component is no part of it: a process may speak of another one's."""
"""Labels that say what a series is about: a process, or an objective."""


class Judge:
    """``interval``: seconds between two samples of a series. ``silences``: what nobody is to be told of."""

    def __init__(self, rules: Sequence[AlertRule], interval: float, silences: Silences | None = None) -> None:
        self._silences = silences
        on = [rule for rule in rules if rule.enabled]
        self._muters = {rule.name: muters_of(rule, on) for rule in on}
        self.rules = sorted(on, key=lambda rule: bool(self._muters[rule.name]))  # a rule is looked at after those that mute it
        self.wanted = frozenset(name for rule in self.rules for name in names_of(rule.expression))
        self.alerts = Alerts()
        self._series = Series(longest_window(self.rules) + 2 * interval + 60)
        self._refusals = {"alert": 0, "sample": 0}

    def take(self, samples: Iterable[Sample]) -> None:
        """Takes newer samples in."""
        self._series.add(samples)

    def step(self, now: float) -> list[Event]:
        """What is to be told at ``now``."""
        self._series.forget(now)
        return [event for rule in self.rules for event in self._told(rule, now)]

    def adopt(self, former: Judge) -> None:
        """Goes on with the alerts of a former one, of the rules that are the same in both."""
        self.alerts.adopt(former.alerts, {rule.name for rule in self.rules if rule in former.rules})

    def recover(
        self,
        told: Mapping[tuple[str, Labels], float],
        now: float,
        silenced: Mapping[tuple[str, Labels], float] = MappingProxyType({}),
        by_hand: Mapping[tuple[str, Labels], float] = MappingProxyType({}),
    ) -> list[Event]:
        """What is to be told after a former one; ``told``: what fires as others know it, of these rules."""
        rules = {rule.name: rule for rule in self.rules}
        return self.alerts.recover(
            rules, told, now, lambda rule, labels: self._gone(rule, labels, now), silenced, by_hand=by_hand
        )

    def firing(self) -> Iterator[str]:
        """The severity of each alert that fires."""
        return (rule.severity for rule in self.rules for _ in self.alerts.fires(rule.name))

    def refused(self) -> dict[str, int]:
        """What there was no room for since this was last asked: alerts at a look at the rules, samples of further series."""
        counts = {"alert": self.alerts.refused, "sample": self._series.refused}
        grown = {what: count - self._refusals[what] for what, count in counts.items()}
        self._refusals = counts
        return grown

    def _told(self, rule: AlertRule, now: float) -> list[Event]:
        muting = [self.alerts.fires(name) for name in self._muters[rule.name]]
        places = {place_of(labels) for found in muting for labels in found}
        return self.alerts.step(
            rule,
            holding(rule.expression, self._series, now),
            now,
            lambda labels: place_of(labels) in places,
            lambda labels: self._gone(rule, labels, now),
            silenced=lambda labels: self._silences is not None and self._silences.cover(rule.name, labels),
        )

    def _gone(self, rule: AlertRule, labels: Labels, now: float) -> bool:
        """Whether nothing that a rule looks at is measured any more of what an alert is about."""
        metrics = list(metrics_of(rule.expression))
        return bool(metrics) and not any(self._series.measured(metric, labels, now) for metric in metrics)


def muters_of(rule: AlertRule, rules: Sequence[AlertRule]) -> list[str]:
    """Names of the rules that mute one."""
    return [other.name for other in rules if other.name != rule.name and {ALL, rule.name} & set(other.mutes)]


def place_of(labels: Labels) -> Labels:
    """The process or objective that an alert is about; nothing for one about the whole."""
    return tuple(pair for pair in labels if pair[0] in PLACE)


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
