"""Brings a fold that lags behind its committed positions up to them, by doing committed work again with its outputs dropped.

Assumes that inputs beside the marked one commute with it, as ``StreamAgent`` demands, so each input is read in one go.
Invariants: local state is written with the positions it belongs to, so that an interrupted catch-up goes on where it was, and
never ahead of what outside stores were told; and wherever it ends, these have lost nothing that stands at the committed
positions (but where a branch comes back across writes too many to hold, and then for a moment), nor got anything for good that
does not: whoever writes to them before the end has said so (``early``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from streams.core.checkpoint import TIP
from streams.errors import PositionLostError
from streams.ports.log import LogReader, TopicPartition
from streams.runtime.decode import decode
from streams.runtime.fold import Fold
from streams.runtime.job import Job
from streams.runtime.state import StateStore

SLICE = 500
"""Records after which the event loop, which sends the heartbeats too, gets its turn."""


Announce = Callable[[], Awaitable[None]]


async def nobody_else() -> None:
    """For folds whose outside stores nobody else writes to, nor they to those of others: nothing to announce."""


async def catch_up(
    job: Job,
    fold: Fold,
    store: StateStore,
    reader: LogReader,
    goal: Mapping[str, int],
    *,
    rest: float = 0.0,
    announce: Announce = nobody_else,
) -> None:
    """Reads every input from the fold's position to ``goal``. Raises as ``Fold.run`` does, and what the reader raises.

    ``rest``: seconds to rest for each second of work, where others need the processor more. ``announce``: called before outside
    stores are written to on the way.
    """
    slots: dict[str, bytes] = {}
    clock = asyncio.get_running_loop().time
    written = clock()
    for topic in job.spec.inputs:
        source = TopicPartition(topic, fold.partition)
        async for messages in reader.read_range(source, fold.positions[topic], goal[topic]):
            began = clock()
            for at in range(0, len(messages), SLICE):
                units = fold.assemble(topic, decode(source, messages[at : at + SLICE]))
                await fold.run(units)
                job.advanced(fold.partition, len(messages[at : at + SLICE]))
                await asyncio.sleep(0)
            await fold.finish_again()
            slots |= fold.outbox.take()[1]
            full = store.size > job.limits.state_bytes or fold.agent.held > job.limits.held_writes
            if full and fold.agent.held:
                await announce()
                await fold.agent.flush()
            # State that ran ahead of removals held back would lose them in a crash: rows of undone blocks would stay for good.
            if full or (clock() - written >= job.limits.state_seconds and not fold.agent.held):
                await store.save(slots, TIP)
                slots, written = {}, clock()
            await asyncio.sleep(rest * (clock() - began))
        if topic == job.marked and fold.waiting:
            raise PositionLostError(
                f"{job.name}: position {goal[topic]} of {topic}/{fold.partition} lies inside a block",
                "Set the group's offset to the beginning of a block.",
            )
    fold.positions.update(goal)
    await fold.finish()
    slots |= fold.outbox.take()[1]
    await store.save(slots, TIP)
