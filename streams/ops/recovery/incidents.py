"""Incidents: how often something was tried, when it may be tried again, and when that is enough. Pure.

An incident of a program begins with its first ailment and is over when it was well for ``quiet`` seconds. Invariants: no more
than ``attempts`` actions in an incident, with pauses that double between them, unless it ends by what may pass, such as brokers
that are away; what merely waits for a store is started again once, and then left to wait; no more than ``most`` actions on one
program within ``window`` seconds, over all its incidents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.ops.recovery.ailments import Ailment, Kind
from streams.ops.recovery.decide import Action, Strategy, decide

ONCE = frozenset({Strategy.RESTART, Strategy.FORCED})
"""One of these is enough for what waits for a store: if it was not the connection, then it is the store."""
PRIORITY = {Kind.PRODUCER: 0, Kind.WORKER: 1, Kind.GATEWAY: 2}
"""Who comes first if several are ill: without new blocks nobody else has work, without workers a gateway answers stale."""
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
    """``due``: when the next attempt may be made. ``apart``: places that are isolated until a person has looked, which is no
    attempt at healing them. ``closed``: a person is asked, and nothing more is done by itself.
    """

    since: float
    due: float
    tried: list[Strategy] = field(default_factory=list)
    apart: set[str] = field(default_factory=set)
    well_since: float | None = None
    closed: str = ""


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
            if incident.closed or now < incident.due:
                continue
            if (action := self._decide(ailment, incident, now)) is not None:
                return action
        return None

    def _decide(self, ailment: Ailment, incident: Incident, now: float) -> Action | None:
        if ailment.waits and not ONCE.isdisjoint(incident.tried):
            return None
        action = decide(ailment, incident.tried, incident.apart)
        acted = self._acted.setdefault(ailment.program, deque())
        while acted and now - acted[0] >= self._limits.window:
            acted.popleft()
        passes = ailment.words is not None and ailment.words.passes
        if passes and action.strategy is not Strategy.ASK and len(acted) >= self._limits.most:
            return None
        if action.strategy is not Strategy.ASK and len(incident.tried) >= self._limits.attempts and not passes:
            action = _ask(action, f"{action.why}: {len(incident.tried)} attempts have not helped")
        elif action.strategy is not Strategy.ASK and len(acted) >= self._limits.most:
            action = _ask(action, f"{action.why}: {len(acted)} actions within {self._limits.window:.0f} s")
        if action.strategy is Strategy.ASK:
            incident.closed = action.why
        else:
            acted.append(now)
            if action.strategy is Strategy.ISOLATE and action.seconds is None:
                incident.apart.add(action.target)
            else:
                incident.tried.append(action.strategy)
        return action

    def acted(self, program: str, now: float) -> None:
        """An action on it has come to its end, and was judged."""
        incident = self.open.get(program)
        if incident is not None:
            pause = min(self._limits.longest_pause, self._limits.pause * 2.0 ** min(max(0, len(incident.tried) - 1), DOUBLINGS))
            incident.due = now + pause

    def well(self, program: str, now: float) -> None:
        """It is well: after a while the incident is over."""
        incident = self.open.get(program)
        if incident is None:
            return
        if incident.well_since is None:
            incident.well_since = now
        if now - incident.well_since >= self._limits.quiet:
            del self.open[program]

    def over(self, program: str) -> None:
        """Its cause is known to be gone: what comes next is an incident of its own."""
        self.open.pop(program, None)


def _ask(action: Action, why: str) -> Action:
    return Action(Strategy.ASK, action.program, action.target, why)
