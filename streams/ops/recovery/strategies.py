"""The strategies, on real processes. Each leaves the process running; whether it helped is not for them to say.

restart: asked to end, then killed; forced: killed. failover: killed, and not started before its peers had time to take its
partitions. rollback: a replay of the blocks below which the state is in doubt, carried out by whoever opens the partition.
degrade, isolate: switches in the state folder (``streams.switches``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from streams import switches
from streams.core.checkpoint import TIP
from streams.core.replay import Phase
from streams.ops.recovery.decide import Action, Strategy
from streams.ops.recovery.programs import Programs
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.replays import read_replays
from streams.switches import Switch, hold
from streams.upkeep.pipeline import Pipeline
from streams.upkeep.replay import ReplayError, Start, plan, request, under_way

_log = logging.getLogger(__name__)
TAKEOVER_SESSIONS = 2.0


class Strategies:
    """``session``: seconds after which a worker that is gone is given up by the group. ``window``: blocks of a rollback."""

    def __init__(self, programs: Programs, file: Path, pipeline: Callable[[], Pipeline], session: float, window: int) -> None:
        self._programs = programs
        self._file = file
        self._pipeline = pipeline
        self._session = session
        self._window = window

    async def carry_out(self, action: Action, start: Callable[[str], None]) -> None:
        """Does it. ``start`` starts a program. Raises MonmouthError, OSError, ValueError."""
        program = action.program
        match action.strategy:
            case Strategy.DEGRADE:
                self.renew(action)
                if self._programs.ended(program) is None:
                    return
            case Strategy.ISOLATE:
                switches.change(self._file, {hold(*_place(action.target)): Switch(action.why, action.seconds)})
                await self._programs.end(program)
            case Strategy.ROLLBACK:
                await self._ask_for_replay(action.target)
                await self._programs.end(program)
            case Strategy.FAILOVER:
                await self._programs.end(program, grace=0)
                await asyncio.sleep(TAKEOVER_SESSIONS * self._session)
            case Strategy.FORCED:
                await self._programs.end(program, grace=0)
            case _:
                await self._programs.end(program)
        start(program)

    def renew(self, action: Action) -> None:
        """A part that is done without stays so for another while. Raises OSError, ValueError."""
        switches.change(self._file, {action.target: Switch(action.why, action.seconds)})

    def take_back(self, action: Action) -> None:
        """It is used again. Raises OSError, ValueError."""
        switches.change(self._file, drop=(action.target,))

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
    return agent, int(number)
