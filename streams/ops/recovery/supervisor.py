"""Watches over processes on one machine, heals those that fail, and says what became of it.

Each second every process is looked at; what is wrong for longer than the patience for it becomes an ailment, ``Incidents``
says what to do, ``Strategies`` does it, and it counts as healed only if the process then was ready for a while and got on.
Invariant: one action at a time on each process.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from streams.health import Health, Look
from streams.ops.recovery import metrics
from streams.ops.recovery.ailments import Ailment, Symptom
from streams.ops.recovery.decide import Action, Strategy
from streams.ops.recovery.degraded import Degraded, Next
from streams.ops.recovery.incidents import Incidents, Limits
from streams.ops.recovery.observe import Sight, look
from streams.ops.recovery.programs import Programs
from streams.ops.recovery.strategies import Strategies

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. ``start``: until a new process must answer, and from then on until it must have started; ``hung``: without
    an answer; ``stuck``: ready, and nothing done.

    ``steady``: ready in one go, and then it counts as healed; ``heal``: for that to come about after an action.
    """

    look: float = 1.0
    start: float = 60.0
    hung: float = 10.0
    stuck: float = 30.0
    steady: float = 3.0
    heal: float = 60.0


@dataclass(slots=True)
class Watched:
    """What is known of one process. Times are of the loop's clock; None: not so now."""

    sight: Sight = field(default_factory=Sight)
    answered: bool = False
    silent_since: float | None = None
    unready_since: float | None = None
    idle_since: float | None = None
    ready_since: float | None = None


USUAL_LIMITS, USUAL_PATIENCE = Limits(), Patience()


class Supervisor:
    """``programs`` are started by ``run`` and ended by it."""

    def __init__(
        self,
        programs: Programs,
        strategies: Strategies,
        limits: Limits = USUAL_LIMITS,
        patience: Patience = USUAL_PATIENCE,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.incidents = Incidents(limits)
        self.told: Callable[[Action, str], None] = lambda _action, _outcome: None
        self._programs = programs
        self._strategies = strategies
        self._limits = limits
        self._patience = patience
        self._clock = clock
        self._watched = {name: Watched() for name in programs.all}
        self._acting: dict[str, asyncio.Task[None]] = {}
        self._degraded: dict[str, Degraded] = {}

    async def run(self, stop: asyncio.Event, health: Health | None = None) -> None:
        """Until ``stop``; then ends all processes."""
        for name in self._programs.all:
            self._start(name)
        try:
            async with aiohttp.ClientSession() as session:
                while not stop.is_set():
                    await self._turn(session)
                    if health is not None:
                        health.look(self.summary())
                    await _sleep(stop, self._patience.look)
        finally:
            for task in self._acting.values():
                task.cancel()
            await asyncio.gather(*self._acting.values(), return_exceptions=True)
            await self._programs.end_all()

    def summary(self) -> Look:
        """For the supervisor's own probes: its processes that are not well."""
        ill = [f"{name}: {reason}" for name in self._watched if (reason := self._reason(name))]
        return Look(True, ill)

    def reopen(self) -> None:
        """A person has looked: what waited for one is tried again."""
        self.incidents.open.clear()

    def _reason(self, name: str) -> str:
        incident = self.incidents.open.get(name)
        if incident is not None and incident.closed:
            return f"waits for a person: {incident.closed}"
        return "" if self._watched[name].sight.ready else "not ready"

    async def _turn(self, session: aiohttp.ClientSession) -> None:
        await asyncio.to_thread(self._programs.trim_logs)
        await asyncio.gather(*(self._look(session, name) for name in self._programs.all))
        now = self._clock()
        ailments = [found for name in self._programs.all if name not in self._acting and (found := self._ailment(name, now))]
        ill = {ailment.program for ailment in ailments}
        for name, watched in self._watched.items():
            if name not in ill and name not in self._acting and watched.sight.ready:
                self.incidents.well(name, now)
        ready = sum(watched.sight.ready for watched in self._watched.values())
        metrics.PROGRAMS.labels("ready").set(ready)
        metrics.PROGRAMS.labels("not_ready").set(len(self._watched) - ready)
        self._tend(now)
        if (action := self.incidents.next(ailments, now)) is not None:
            self.begin(action)

    def _tend(self, now: float) -> None:
        """Parts that are done without are used again when they are back, not when time is up."""
        for degraded in list(self._degraded.values()):
            action = degraded.action
            if action.program in self._acting:
                continue
            step = degraded.next(self._watched[action.program].sight, now, self._patience.steady)
            try:
                if step is Next.RENEW:
                    self._strategies.renew(action)
                    degraded.since = now
                elif step is Next.OVER:
                    del self._degraded[action.target]
                elif step is Next.TAKE_BACK:
                    self._strategies.take_back(action)
                    del self._degraded[action.target]
                    self.incidents.over(action.program)
                    _log.warning("%s: %s answers again, and is used again", action.program, action.target)
                    self.told(action, "taken back")
            except (OSError, ValueError) as error:
                _log.warning("the switch %s: %s", action.target, error)

    async def _look(self, session: aiohttp.ClientSession, name: str) -> None:
        running = self._programs.ended(name) is None
        sight = await look(session, self._programs.all[name].port) if running else Sight()
        watched, now = self._watched[name], self._clock()
        worked = sight.work != watched.sight.work or not sight.waiting
        watched.answered = watched.answered or sight.answers
        watched.silent_since = None if sight.answers and sight.live else watched.silent_since or now
        same = sight.answers and sight.started == watched.sight.started
        watched.unready_since = None if sight.ready or not same else watched.unready_since or now
        watched.idle_since = None if worked or not sight.ready else watched.idle_since or now
        watched.ready_since = None if not sight.ready else watched.ready_since or now
        watched.sight = sight

    def _ailment(self, name: str, now: float) -> Ailment | None:
        program, watched = self._programs.all[name], self._watched[name]
        if self._programs.ended(name) is not None:
            return Ailment(name, program.kind, Symptom.DEAD, self._programs.words(name), peers=self._peers(name))
        patience = self._patience
        since = [
            (Symptom.HUNG, watched.silent_since, patience.hung if watched.answered else patience.start),
            (Symptom.UNREADY, watched.unready_since, self._limits.patience if watched.sight.started else patience.start),
            (Symptom.STUCK, watched.idle_since, patience.stuck),
        ]
        for symptom, began, longest in since:
            if began is not None and now - began >= longest:
                return Ailment(name, program.kind, symptom, places=watched.sight.places, peers=self._peers(name))
        return None

    def _peers(self, name: str) -> int:
        kind = self._programs.all[name].kind
        return sum(
            other != name and self._programs.all[other].kind is kind and watched.sight.ready
            for other, watched in self._watched.items()
        )

    def begin(self, action: Action) -> None:
        """Has an action carried out and judged, beside all else. Nothing is to be under way on that program."""
        if action.strategy is Strategy.ASK:
            _log.error("%s is left to a person: %s", action.target, action.why)
            self._count(action, "asked")
            return
        self._acting[action.program] = asyncio.create_task(self._act(action), name=f"heal {action.program}")

    async def _act(self, action: Action) -> None:
        _log.warning("%s: %s of %s", action.why, action.strategy, action.target)
        outcome = "failed"
        try:
            await self._strategies.carry_out(action, self._start)
            if action.strategy is Strategy.DEGRADE:
                self._degraded[action.target] = Degraded(action, self._clock())
            if await self._healed(action):
                outcome = "healed"
        except Exception as error:  # whatever a strategy meets: it has failed, and the next one is tried
            _log.warning("%s of %s: %s", action.strategy, action.target, error)
        finally:
            del self._acting[action.program]
            self.incidents.acted(action.program, self._clock())
        self._count(action, outcome)

    def _count(self, action: Action, outcome: str) -> None:
        metrics.OPERATIONS.labels(action.strategy, outcome).inc()
        _log.warning("%s of %s: %s", action.strategy, action.target, outcome)
        self.told(action, outcome)

    def _start(self, name: str) -> None:
        self._programs.start(name)
        self._watched[name] = Watched(silent_since=self._clock())

    async def _healed(self, action: Action) -> bool:
        """Whether the process gets ready in time, stays so for a while, and works, or has nothing to work on."""
        began, before = self._clock(), None
        while self._clock() - began < self._patience.heal:
            await asyncio.sleep(self._patience.look / 2)
            watched, now = self._watched[action.program], self._clock()
            if watched.ready_since is None or not _took(action, watched.sight):
                before = None
                if self._programs.ended(action.program) is not None:
                    return False
                continue
            before = watched.sight.work if before is None else before
            steady = now - max(watched.ready_since, began) >= self._patience.steady
            if steady and (not watched.sight.waiting or watched.sight.work > before):
                return await self._strategies.confirmed(action)
        return False


def _took(action: Action, sight: Sight) -> bool:
    """Whether the process does what is asked of it: it is not well because of something else."""
    return action.strategy is not Strategy.DEGRADE or action.target in sight.without


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
