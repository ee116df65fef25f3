"""The life of alerts: pending, firing, resolved. Pure: the clock and what holds are passed in.

An alert is one rule at one set of labels. Invariants: it fires once it held for the rule's ``hold`` without a break, and is
told once, not again while it goes on; it resolves when it no longer holds, which is told if its firing was; within ``cooldown``
of a firing that was told, another one of the same alert is not; one that is muted, or within its cooldown, is told when it is
so no more, if it still holds. So is one that is silenced, which meanwhile is decided once as an event that nobody is told of.
Where nothing is measured any more an alert is over too, but has not got better: it says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from streams.ops.alerts.evaluate import Vector
from streams.ops.alerts.rules import AlertRule
from streams.ops.alerts.series import Labels

MOST_ALERTS = 10_000
SILENCED = "silenced"
"""Begins the summary of what is told to nobody."""
GONE = "gone"
"""Begins the summary of an alert that is over since nobody measures it any more."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is told. ``state``: firing or resolved. ``since``: when it began to hold; ``at``: when this was decided.

    ``gone``: it is over because its series is no longer measured, as when its process was killed; ``value`` is the last one.
    ``silenced``: it is kept, and told to nobody.
    """

    rule: AlertRule
    labels: Labels
    state: str
    value: float
    since: float
    at: float
    gone: bool = False
    silenced: bool = False

    @property
    def key(self) -> str:
        """The same for all events of one alert: what receivers tell repeats by."""
        return ",".join([self.rule.name, *(f"{name}={value}" for name, value in self.labels)])

    @property
    def summary(self) -> str:
        """One line."""
        where = f" ({', '.join(f'{name}={value}' for name, value in self.labels)})" if self.labels else ""
        said = f"{self.rule.severity} {self.rule.name}{where}: {self.rule.condition}"
        if self.silenced:
            return f"[{SILENCED}] {said}, {self.state}, value {self.value:g}"
        if self.gone:
            return f"[{GONE}] {said}, no longer measured; last value {self.value:g}"
        return f"[{self.state}] {said}, value {self.value:g}"


@dataclass(slots=True)
class _Alert:
    since: float
    value: float
    firing: bool = False
    decided: bool = False
    told: bool = False
    silenced: bool = False


def _nowhere(_: Labels) -> bool:
    return False


class Alerts:
    """All alerts of some rules."""

    def __init__(self) -> None:
        self._alerts: dict[tuple[str, Labels], _Alert] = {}
        self._told: dict[tuple[str, Labels], float] = {}
        self.refused = 0

    def firing(self) -> int:
        """How many fire now."""
        return sum(alert.firing for alert in self._alerts.values())

    def fires(self, name: str) -> list[Labels]:
        """Where a rule fires now."""
        return [labels for (rule, labels), alert in self._alerts.items() if rule == name and alert.firing]

    def step(
        self,
        rule: AlertRule,
        holds: Vector,
        now: float,
        muted: Callable[[Labels], bool] = _nowhere,
        gone: Callable[[Labels], bool] = _nowhere,
        *,
        silenced: Callable[[Labels], bool] = _nowhere,
    ) -> list[Event]:
        """Takes in where a rule holds at ``now``; what is to be told. ``gone``: where nothing is measured any more."""
        return [*self._raised(rule, holds, now, muted, silenced), *self._resolved(rule, holds, now, gone)]

    def adopt(self, former: Alerts, names: Collection[str]) -> None:
        """Goes on with what a former one knows of some rules: what it decided already, and when it told what."""
        self._alerts |= {key: replace(alert) for key, alert in former._alerts.items() if key[0] in names}
        self._told |= {key: at for key, at in former._told.items() if key[0] in names}

    def recover(
        self,
        rules: Mapping[str, AlertRule],
        told: Mapping[tuple[str, Labels], float],
        now: float,
        gone: Callable[[AlertRule, Labels], bool] = lambda *_: False,
        silenced: Mapping[tuple[str, Labels], float] = MappingProxyType({}),
        *,
        by_hand: Mapping[tuple[str, Labels], float] = MappingProxyType({}),
    ) -> list[Event]:
        """Takes over from a former one; what others are to be told. ``told``: all that fires as they know it, with its value;
        ``silenced``: what was kept and told to nobody; ``by_hand``: what was declared over, and when.

        What held all the time is told by neither again; what began or ended meanwhile is told now.
        """
        events = []
        for (name, labels), alert in self._alerts.items():
            if alert.since <= by_hand.get((name, labels), -math.inf):  # it is over for all others, until it begins anew
                alert.decided, alert.told, alert.silenced = True, False, False
                continue
            known = (name, labels) in told
            if alert.told and not known:
                events.append(Event(rules[name], labels, "firing", alert.value, alert.since, now))
            if alert.silenced and not known and (name, labels) not in silenced:
                events.append(Event(rules[name], labels, "firing", alert.value, alert.since, now, silenced=True))
            if alert.firing and known:
                alert.decided = alert.told = True
            if alert.firing and (name, labels) in silenced:  # also one that is muted here: its end is to be kept
                alert.silenced = True
        for (name, labels), value in told.items():
            held = self._alerts.get((name, labels))
            if name in rules and not (held is not None and held.firing):
                events.append(Event(rules[name], labels, "resolved", value, now, now, gone(rules[name], labels)))
        for (name, labels), value in silenced.items():
            held = self._alerts.get((name, labels))
            if name in rules and not (held is not None and held.firing):
                events.append(Event(rules[name], labels, "resolved", value, now, now, silenced=True))
        return events

    def _raised(
        self,
        rule: AlertRule,
        holds: Vector,
        now: float,
        muted: Callable[[Labels], bool],
        silenced: Callable[[Labels], bool],
    ) -> Iterator[Event]:
        for labels, value in holds.items():
            key = rule.name, labels
            alert = self._alerts.get(key)
            if alert is None:
                if len(self._alerts) >= MOST_ALERTS:
                    self.refused += 1
                    continue
                alert = self._alerts[key] = _Alert(now, value)
            alert.value = value
            alert.firing = alert.firing or now - alert.since >= rule.hold
            if not alert.firing or alert.decided or muted(labels):
                continue
            if silenced(labels):
                if not alert.silenced:
                    alert.silenced = True
                    yield Event(rule, labels, "firing", value, alert.since, now, silenced=True)
                continue
            if now - self._told.get(key, -math.inf) < rule.cooldown:
                continue
            alert.decided = alert.told = True
            self._told[key] = now
            yield Event(rule, labels, "firing", value, alert.since, now)

    def _resolved(self, rule: AlertRule, holds: Vector, now: float, gone: Callable[[Labels], bool]) -> Iterator[Event]:
        over = [key for key in self._alerts if key[0] == rule.name and key[1] not in holds]
        for key in over:
            alert = self._alerts.pop(key)
            if alert.told:
                yield Event(rule, key[1], "resolved", alert.value, alert.since, now, gone(key[1]))
            elif alert.silenced:
                yield Event(rule, key[1], "resolved", alert.value, alert.since, now, silenced=True)
        for key in [key for key, at in self._told.items() if key[0] == rule.name and key not in self._alerts]:
            if now - self._told[key] >= rule.cooldown:
                del self._told[key]
