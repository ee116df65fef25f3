"""The next version comes: processes of two versions work on the same topics, stores and state, while one replaces the other.

As docs/deploy.md says: first every process is replaced while all write what the older version reads; then, one by one, they
are let write what they know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from schemas.codec import Codec
from tests.chaos.stage import Needs, Stage
from tests.checker.events import Kill

BESIDE_SECONDS = 2.0
BOUND = "MONMOUTH_KAFKA__NEWEST_SCHEMA"


async def upgrade(stage: Stage, random: Random) -> None:
    """Every process is replaced by one of the next version, one after the other; the second time, they write its schemas."""
    assert stage.newer is not None
    names = stage.processes.named("")
    random.shuffle(names)
    writing = all(stage.processes.children[name].tree == stage.newer for name in names)
    stage.recorder.say(Kill(process="all", fault="schemas" if writing else "upgrade"))
    for name in names:
        child = stage.processes.children[name]
        await asyncio.to_thread(stage.processes.halt, name)
        child.tree = stage.newer
        child.environment = {key: value for key, value in child.environment.items() if key != BOUND}
        if not writing:
            child.environment[BOUND] = str(Codec().newest)
        stage.processes.restart(name)
        await asyncio.sleep(BESIDE_SECONDS)


FAULTS: dict[str, Callable[[Stage, Random], Awaitable[None]]] = {"upgrade": upgrade}
NEEDS = {"upgrade": Needs(newer=True)}
