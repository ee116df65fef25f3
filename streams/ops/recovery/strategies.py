"""The strategies, on real processes. Each leaves the process running; whether it helped is not for them to say.

restart: asked to end, then killed; forced: killed. failover: killed, and not started before its peers had time to take its
partitions. rollback: a replay of the blocks below which the state is in doubt, carried out by whoever opens the partition.
degrade, isolate: switches in the state folder (``streams.switches``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from streams import switches
from streams.core.checkpoint import TIP
from streams.core.replay import Phase
from streams.errors import Category, MonmouthError, Severity
from streams.ops.recovery.decide import Action, Strategy
from streams.ops.recovery.programs import Programs
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.replays import read_replays
from streams.switches import Switch, hold
from streams.upkeep.pipeline import Pipeline
from streams.upkeep.replay import ReplayError, Start, plan, request, under_way

_log = logging.getLogger(__name__)
TAKEOVER_SESSIONS = 2.0
KILLED = (Strategy.FAILOVER, Strategy.FORCED)


class ActionError(MonmouthError):
    """What was decided could not be done: a switch could not be set or taken out, or there is no such place."""

    category = Category.PROCESSING
    severity = Severity.HIGH


class Strategies:
    """``session``: seconds after which a worker that is gone is given up by the group. ``window``: blocks of a rollback."""

    def __init__(self, programs: Programs, file: Path, pipeline: Callable[[], Pipeline], session: float, window: int) -> None:
        self._programs = programs
        self._file = file
        self._pipeline = pipeline
        self._session = session
        self._window = window

    async def carry_out(self, action: Action, start: Callable[[str], None]) -> None:
        """Does it. ``start`` starts a program. Raises MonmouthError, OSError; nothing was ended or started where a switch
        (ActionError) or the request of a replay could not be written.
        """
        if await self._prepared(action):
            await self._ended(action)
            start(action.program)

    async def _prepared(self, action: Action) -> bool:
        """What is said before the process ends; whether it has to."""
        match action.strategy:
            case Strategy.DEGRADE:
                self.renew(action)
                return self._programs.ended(action.program) is not None
            case Strategy.ISOLATE:
                self._switch({hold(*_place(action.target)): Switch(action.why, action.seconds)})
            case Strategy.ROLLBACK:
                await self._ask_for_replay(action.target)
        return True

    async def _ended(self, action: Action) -> None:
        if action.strategy not in KILLED:
            await self._programs.end(action.program)
            return
        await self._programs.end(action.program, grace=0)
        if action.strategy is Strategy.FAILOVER:
            await asyncio.sleep(TAKEOVER_SESSIONS * self._session)

    def renew(self, action: Action) -> None:
        """A part that is done without stays so for another while. Raises ActionError."""
        self._switch({action.target: Switch(action.why, action.seconds)})

    def take_back(self, action: Action) -> None:
        """It is used again. Raises ActionError."""
        self._switch({}, drop=(action.target,))

    def _switch(self, put: Mapping[str, Switch], drop: tuple[str, ...] = ()) -> None:
        try:
            switches.change(self._file, put, drop)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            names = ", ".join([*put, *drop])
            raise ActionError(f"{names}: {self._file} could not be changed: {reason}", "Mend or remove that file.") from error

    async def confirmed(self, action: Action) -> bool:
        """Whether what was asked of others was not refused."""
        if action.strategy is not Strategy.ROLLBACK:
            return True
        agent, number = _place(action.target)
        reader = self._pipeline().client.reader()
        try:
            _, status = await read_replays(reader, agent, number)
        finally:
            await reader.close()
        return status is not None and status.phase is not Phase.REFUSED

    async def _ask_for_replay(self, place: str) -> None:
        """Of the last ``window`` blocks, unless one of that partition is under way."""
        agent, number = _place(place)
        pipeline = self._pipeline()
        reader = pipeline.client.reader()
        try:
            going = await under_way(pipeline, reader)
            tip = (await read_checkpoints(reader, agent, number)).get(TIP)
        finally:
            await reader.close()
        if any((each.stream_agent, each.partition) == (agent, number) for each in going):
            return
        if tip is None:
            raise ReplayError(f"{place} has not taken a block in yet")
        first = max(pipeline.settings.chain.start_block, tip.at.block.number - self._window + 1)
        (found,) = await plan(pipeline, agent, Start(block=first), [number])
        await request(pipeline, agent, {number: found.first}, None)
        _log.warning("%s: blocks %d to %d are taken back and done again", place, found.first, found.head)


def _place(name: str) -> tuple[str, int]:
    agent, _, number = name.rpartition("/")
    if not agent or not number.isdecimal():
        raise ActionError(f"{name!r} is no partition of a stream agent")
    return agent, int(number)
