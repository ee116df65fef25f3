"""What is known of one process from the looks at it, and what is wrong with it for too long. Pure.

Invariants: a stream agent whose partitions are being opened, or rewound, is not ill while that gets on, however long it takes;
one that stands still at it is, when it has done so for the usual patience. It is judged as a whole, since its partitions take
turns: one that hangs beside others is noticed when these are through.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.ops.recovery.ailments import Symptom
from streams.ops.recovery.observe import Sight


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. ``start``: until a new process must answer, and from then on until it must have started; ``hung``: without
    an answer; ``stuck``: ready, and nothing done.

    ``steady``: ready in one go, and then it counts as healed; ``heal``: for that to come about after an action, from then on or
    since it got on at opening.
    """

    look: float = 1.0
    start: float = 60.0
    hung: float = 10.0
    stuck: float = 30.0
    steady: float = 3.0
    heal: float = 60.0


@dataclass(slots=True)
class Watched:
    """Times are of one clock; None: not so now. ``restored_at``: when each stream agent last got on at opening partitions.

    ``mourned``: its end was counted.
    """

    sight: Sight = field(default_factory=Sight)
    answered: bool = False
    silent_since: float | None = None
    unready_since: float | None = None
    idle_since: float | None = None
    ready_since: float | None = None
    mourned: bool = False
    restored_at: dict[str, float] = field(default_factory=dict)
    _restored: dict[str, float] = field(default_factory=dict)

    def looked(self, sight: Sight, now: float) -> None:
        """Takes the next look in."""
        worked = self._got_on(sight, now) or sight.work != self.sight.work or not sight.waiting
        self.answered = self.answered or sight.answers
        self.silent_since = None if sight.answers and sight.live else self.silent_since or now
        same = sight.answers and sight.started == self.sight.started
        self.unready_since = None if sight.ready or not same else self._unready_since(sight, now)
        self.idle_since = None if worked or not sight.ready else self.idle_since or now
        self.ready_since = None if not sight.ready else self.ready_since or now
        self.sight = sight

    def excuse(self) -> None:
        """That it is not ready, or does nothing, has a cause outside: patience begins anew when that is gone."""
        self.unready_since = self.idle_since = None

    def _got_on(self, sight: Sight, now: float) -> bool:
        further = [agent for agent, count in sight.restored.items() if count > self._restored.get(agent, 0.0)]
        for agent in further:
            self._restored[agent] = sight.restored[agent]
            self.restored_at[agent] = now
        return bool(further)

    def _unready_since(self, sight: Sight, now: float) -> float:
        """Since when it is not ready, and does not get on at that either: the stream agent that gets on least counts."""
        began = self.unready_since or now
        if not sight.hindered or not all("/" in place for place in sight.hindered):
            return began
        return max(began, min(self.restored_at.get(place.partition("/")[0], began) for place in sight.hindered))

    def symptom(self, now: float, patience: Patience, unready: float, opening: float = 0.0) -> Symptom | None:
        """What is wrong with one that runs, if it has been for longer than the patience for it.

        ``unready``: seconds for one that has started and is not ready. ``opening``: more of them for one that answers, and has
        not started yet.
        """
        since = [
            (Symptom.HUNG, self.silent_since, patience.hung if self.answered else patience.start),
            (Symptom.UNREADY, self.unready_since, unready if self.sight.started else patience.start + opening),
            (Symptom.STUCK, self.idle_since, patience.stuck),
        ]
        return next((symptom for symptom, began, most in since if began is not None and now - began >= most), None)

    def progress_at(self, began: float) -> float:
        """When it last got on at opening, or ``began``."""
        return max([began, *self.restored_at.values()])
