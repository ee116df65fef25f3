"""Watches over processes on one machine, heals those that fail, and says what became of it.

Each second every process is looked at; what is wrong for longer than the patience for it (``watched``) becomes an ailment,
``Incidents`` says what to do, ``Strategies`` does it, and it counts as healed only if the process was ready then for a while
and got on. While no broker listens, processes that run are left to wait for them: to start one anew would only take its health
page away. Invariants: one action at a time on each process; what a strategy may fail of is told and counted, and anything
else is a defect, which ends the supervisor with that error.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import aiohttp

from streams.classification import Filing
from streams.errors import MonmouthError
from streams.health import Health, Look
from streams.metrics import count_error, count_filed
from streams.ops.recovery import metrics
from streams.ops.recovery.ailments import Ailment, Symptom
from streams.ops.recovery.decide import Action, Strategy
from streams.ops.recovery.degraded import Degraded, Next
from streams.ops.recovery.incidents import Incidents, Limits
from streams.ops.recovery.observe import Sight, look
from streams.ops.recovery.programs import Programs
from streams.ops.recovery.strategies import ActionError, Strategies
from streams.ops.recovery.watched import Patience, Watched
from streams.outage import Outage

_log = logging.getLogger(__name__)
EXPECTED = (MonmouthError, OSError)
"""What a strategy may fail of: no process can be started, a file not written, the brokers do not answer."""
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
        brokers: Callable[[], Awaitable[bool]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``brokers``: whether one of them listens; None where nobody can tell."""
        self.incidents = Incidents(limits)
        self.told: Callable[[Action, str], None] = lambda _action, _outcome: None
        self._programs = programs
        self._strategies = strategies
        self._limits = limits
        self._patience = patience
        self._brokers = brokers
        self._outage = Outage(_log)
        self._clock = clock
        self._watched = {name: Watched() for name in programs.all}
        self._acting: dict[str, asyncio.Task[None]] = {}
        self._degraded: dict[str, Degraded] = {}
        self._defect: BaseException | None = None

    async def run(self, stop: asyncio.Event, health: Health | None = None) -> None:
        """Until ``stop``; then ends all processes. Raises StartError if one cannot be started at first, and defects."""
        try:
            for name in self._programs.all:
                self._start(name)
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
        self._raise_defect()

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
        self._raise_defect()
        await self._excuse()
        now = self._clock()
        ailments = [found for name in self._programs.all if name not in self._acting and (found := self._ailment(name, now))]
        self._note_well({ailment.program for ailment in ailments}, now)
        self._tend(now)
        if (action := self.incidents.next(ailments, now)) is not None:
            self.begin(action)

    async def _excuse(self) -> None:
        """Nobody is ill for waiting for the brokers. That is asked only where somebody is not well."""
        if self._brokers is None or all(watched.sight.ready for watched in self._watched.values()):
            return
        if await self._brokers():
            self._outage.over()
            return
        self._outage.failed("no broker listens: processes that wait for one are left to wait")
        for watched in self._watched.values():
            watched.excuse()

    def _note_well(self, ill: set[str], now: float) -> None:
        for name, watched in self._watched.items():
            if name in ill or name in self._acting:
                continue
            if watched.sight.ready:
                self.incidents.well(name, now)
            else:
                self.incidents.unwell(name)
        ready = sum(watched.sight.ready for watched in self._watched.values())
        metrics.PROGRAMS.labels("ready").set(ready)
        metrics.PROGRAMS.labels("not_ready").set(len(self._watched) - ready)

    def _tend(self, now: float) -> None:
        """Parts that are done without are used again when they are back, not when time is up."""
        for degraded in list(self._degraded.values()):
            if degraded.action.program not in self._acting:
                try:
                    self._tend_to(degraded, now)
                except ActionError as error:
                    count_error(error)
                    _log.warning("%s", error)

    def _tend_to(self, degraded: Degraded, now: float) -> None:
        action = degraded.action
        match degraded.next(self._watched[action.program].sight, now, self._patience.steady):
            case Next.RENEW:
                self._strategies.renew(action)
                degraded.since = now
            case Next.OVER:
                del self._degraded[action.target]
            case Next.TAKE_BACK:
                self._strategies.take_back(action)
                del self._degraded[action.target]
                self.incidents.over(action.program)
                _log.warning("%s: %s answers again, and is used again", action.program, action.target)
                self.told(action, "taken back")

    async def _look(self, session: aiohttp.ClientSession, name: str) -> None:
        running = self._programs.ended(name) is None
        sight = await look(session, self._programs.all[name].port) if running else Sight()
        self._watched[name].looked(sight, self._clock())

    def _ailment(self, name: str, now: float) -> Ailment | None:
        program, watched = self._programs.all[name], self._watched[name]
        if (code := self._programs.ended(name)) is not None:
            dead = Ailment(name, program.kind, Symptom.DEAD, self._programs.words(name), peers=self._peers(name))
            self._mourn(watched, dead, 0 if program.told_to_end else code)
            return dead
        symptom = watched.symptom(now, self._patience, self._limits.patience, program.opening)
        if symptom is None:
            return None
        return Ailment(name, program.kind, symptom, places=watched.sight.places, peers=self._peers(name))

    @staticmethod
    def _mourn(watched: Watched, dead: Ailment, code: int) -> None:
        """Counts the error that a process ended with, unless it could do so itself; once. One killed by others could not."""
        if code and not watched.mourned and not (dead.words is not None and dead.words.counted):
            count_filed(Filing(dead.category, dead.severity))
        watched.mourned = True

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
        acting = asyncio.create_task(self._act(action), name=f"heal {action.program}")
        self._acting[action.program] = acting
        acting.add_done_callback(self._acted)

    def _raise_defect(self) -> None:
        if self._defect is not None:
            raise self._defect

    def _acted(self, acting: asyncio.Task[None]) -> None:
        """Nobody waits for such a task: what it met that was not expected is raised by the next turn."""
        if not acting.cancelled() and self._defect is None:
            self._defect = acting.exception()

    async def _act(self, action: Action) -> None:
        _log.warning("%s: %s of %s", action.why, action.strategy, action.target)
        failure = ""
        try:
            healed = await self._attempt(action)
        except EXPECTED as error:
            count_error(error)
            healed, failure = False, f": {error}"
        finally:
            del self._acting[action.program]
            self.incidents.acted(action.program, self._clock())
        self._count(action, "healed" if healed else "failed", failure)

    async def _attempt(self, action: Action) -> bool:
        """Whether it helped. Raises what is EXPECTED."""
        try:
            await self._strategies.carry_out(action, self._start)
        except EXPECTED:
            self.incidents.undone(action)
            raise
        if action.strategy is Strategy.DEGRADE:
            self._degraded[action.target] = Degraded(action, self._clock())
        return await self._healed(action)

    def _count(self, action: Action, outcome: str, failure: str = "") -> None:
        metrics.OPERATIONS.labels(action.strategy, outcome).inc()
        _log.warning("%s of %s: %s%s", action.strategy, action.target, outcome, failure)
        self.told(action, outcome + failure)

    def _start(self, name: str) -> None:
        self._programs.start(name)
        self._watched[name] = Watched(silent_since=self._clock())

    async def _healed(self, action: Action) -> bool:
        """Whether the process gets ready in time, stays so for a while, and works, or has nothing to work on. While it gets on
        at opening partitions, it has time.
        """
        began, before = self._clock(), None
        patience = self._patience.heal + self._programs.all[action.program].opening
        while self._clock() - self._watched[action.program].progress_at(began) < patience:
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
