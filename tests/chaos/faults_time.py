"""Faults of time: the wall clock jumps, and processes stand still for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from tests.chaos.clock import set_clock
from tests.chaos.stage import Needs, Stage
from tests.checker.events import Kill, Start

HOUR = 3600
JUMP_SECONDS = 3.0


async def clock_jump(stage: Stage, random: Random) -> None:
    """The wall clock of the workers jumps hours forward, hours back, and to the right time; the monotonic one goes on."""
    assert stage.clock is not None
    stage.recorder.say(Kill(process="clock", fault="jumps"))
    for hours in (random.randint(2, 12), -random.randint(2, 12), 0):
        set_clock(stage.clock, hours * HOUR)
        await asyncio.sleep(JUMP_SECONDS)
    stage.recorder.say(Start(process="clock"))


async def stop_both(stage: Stage, random: Random) -> None:
    """SIGSTOP of a worker and of the producer at once, with nobody to take the producer's place; then SIGCONT."""
    names = [random.choice(stage.processes.named("worker")), "producer"]
    for name in names:
        stage.processes.pause(name)
    await asyncio.sleep(stage.still(random))
    for name in names:
        stage.processes.resume(name)


FAULTS: dict[str, Callable[[Stage, Random], Awaitable[None]]] = {"clock-jump": clock_jump, "stop-both": stop_both}
EVERY = ("intent", "memory", "embedding", "lattice", "graph")
AIMS = {"clock-jump": EVERY, "stop-both": EVERY}
NEEDS = {"clock-jump": Needs(clock=True)}
