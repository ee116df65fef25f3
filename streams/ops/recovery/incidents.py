"""Incidents: how often something was tried, when it may be tried again, and when that is enough. Pure.

An incident of a program begins with its first ailment and is over when it was well for ``quiet`` seconds in one go. One that
was given up, so that a person is asked, is tried anew when it is ill from a cause that was not given up yet, when it was over,
and when a person has looked. Invariants: no more than ``attempts`` actions for one cause, with pauses that double between them,
unless it ends by what may pass, such as brokers that are away; what merely waits for a store is started again once, and then
left to wait; no more than ``most`` actions on one program within ``window`` seconds, over all its incidents. What could not be
carried out is an attempt, and no more than that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.ops.recovery.ailments import Ailment, Kind, Symptom
from streams.ops.recovery.decide import Action, Strategy, decide

ONCE = frozenset({Strategy.RESTART, Strategy.FORCED})
"""One of these is enough for what waits for a store: if it was not the connection, then it is the store."""
PRIORITY = {Kind.PRODUCER: 0, Kind.WORKER: 1, Kind.GATEWAY: 2, Kind.ALERTS: 3, Kind.OPS: 4}
"""Who comes first if several are ill: without new blocks nobody else has work, without workers a gateway answers stale. Then
comes who tells a person, and last what only looks back.
"""
DOUBLINGS = 16
"""Of a pause: what may pass is tried for days, and a float has an end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``patience``: seconds that a program which is there may be unready or stuck before anything is done about it."""

    attempts: int = 3
    pause: float = 2.0
    longest_pause: float = 60.0
    quiet: float = 60.0
    most: int = 10
    window: float = 600.0
    patience: float = 20.0


@dataclass(slots=True)
class Incident:
    """``due``: when the next attempt may be made. ``climbed``: of what was ``tried``, what was no start of one that was gone:
    how far up the ladder it is. ``apart``: places that are isolated until a person has looked, which is no attempt at healing
    them. ``undone``: attempts that could not even be carried out.

    ``closed``: why a person is asked; nothing more is done by itself while the cause is one of those ``given_up``.
    """

    since: float
    due: float
    tried: list[Strategy] = field(default_factory=list)
    climbed: list[Strategy] = field(default_factory=list)
    apart: set[str] = field(default_factory=set)
    undone: int = 0
    well_since: float | None = None
    closed: str = ""
    given_up: set[tuple[str, ...]] = field(default_factory=set)

    @property
    def attempts(self) -> int:
        """How often something was tried."""
        return len(self.tried) + self.undone

    def left_to(self, ailment: Ailment) -> bool:
        """Whether this ailment is left to a person. A cause that is new begins anew, with all attempts."""
        if self.closed and ailment.cause not in self.given_up:
            self.closed, self.undone = "", 0
            self.tried.clear()
            self.climbed.clear()
        return bool(self.closed)

    def give_up(self, ailment: Ailment, why: str) -> None:
        """Leaves it to a person."""
        self.closed = why
        self.given_up.add(ailment.cause)


class Incidents:
    """Those of all programs."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.open: dict[str, Incident] = {}
        self._acted: dict[str, deque[float]] = {}

    def next(self, ailments: Sequence[Ailment], now: float) -> Action | None:
        """What to do now, for the most important one of those that may be acted on; None to wait."""
        for ailment in sorted(ailments, key=lambda each: (PRIORITY[each.kind], each.program)):
            incident = self.open.setdefault(ailment.program, Incident(now, now))
            incident.well_since = None
            if incident.left_to(ailment) or now < incident.due:
                continue
            if (action := self._decide(ailment, incident, now)) is not None:
                return action
        return None

    def _decide(self, ailment: Ailment, incident: Incident, now: float) -> Action | None:
        if ailment.waits and not ONCE.isdisjoint(incident.tried):
            return None
        gone = ailment.symptom is Symptom.DEAD
        wanted = decide(ailment, incident.tried if gone else incident.climbed, incident.apart)
        action = self._limited(wanted, ailment, incident, now)
        if action is None:
            return None
        if action.strategy is Strategy.ASK:
            incident.give_up(ailment, action.why)
            return action
        self._acted[ailment.program].append(now)
        if _for_good(action):
            incident.apart.add(action.target)
        else:
            incident.tried.append(action.strategy)
            if not gone:
                incident.climbed.append(action.strategy)
        return action

    def _limited(self, action: Action, ailment: Ailment, incident: Incident, now: float) -> Action | None:
        """The action, or to ask a person instead of it; None to wait, since what may pass is never given up."""
        if action.strategy is Strategy.ASK:
            return action
        acted = self._acted.setdefault(ailment.program, deque())
        while acted and now - acted[0] >= self._limits.window:
            acted.popleft()
        passes = ailment.words is not None and ailment.words.passes
        if not passes and incident.attempts >= self._limits.attempts:
            return _ask(action, f"{action.why}: {incident.attempts} attempts have not helped")
        if len(acted) < self._limits.most:
            return action
        return None if passes else _ask(action, f"{action.why}: {len(acted)} actions within {self._limits.window:.0f} s")

    def acted(self, program: str, now: float) -> None:
        """An action on it has come to its end, and was judged."""
        incident = self.open.get(program)
        if incident is not None:
            pause = self._limits.pause * 2.0 ** min(max(0, incident.attempts - 1), DOUBLINGS)
            incident.due = now + min(self._limits.longest_pause, pause)

    def undone(self, action: Action) -> None:
        """It could not be carried out. To isolate is tried again, since nothing else helps then; for others the next one is."""
        incident = self.open.get(action.program)
        if incident is None or action.strategy is not Strategy.ISOLATE:
            return
        incident.undone += 1
        if _for_good(action):
            incident.apart.discard(action.target)
        else:
            for tried in (incident.tried, incident.climbed):
                if action.strategy in tried:
                    tried.remove(action.strategy)

    def well(self, program: str, now: float) -> None:
        """It is well: after a while the incident is over."""
        incident = self.open.get(program)
        if incident is None:
            return
        if incident.well_since is None:
            incident.well_since = now
        if now - incident.well_since >= self._limits.quiet:
            del self.open[program]

    def unwell(self, program: str) -> None:
        """It is not well, though not ill for long enough to be acted on."""
        if (incident := self.open.get(program)) is not None:
            incident.well_since = None

    def over(self, program: str) -> None:
        """Its cause is known to be gone: what comes next is an incident of its own."""
        self.open.pop(program, None)


def _for_good(action: Action) -> bool:
    return action.strategy is Strategy.ISOLATE and action.seconds is None


def _ask(action: Action, why: str) -> Action:
    return Action(Strategy.ASK, action.program, action.target, why)
