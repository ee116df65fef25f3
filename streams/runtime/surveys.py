"""The live chain of a partition far below its tip, from the log, part by part from the newest down.

Blocks that checkpoints say nothing of any more are found by reading the log from a checkpoint of history below them. A chain
may be longer than what fits in memory, so no more than ``Limits.survey_blocks`` are held: each part is found by a pass of its
own, which ends where the part above begins. The farther back, the sparser the checkpoints, so old parts are met by several
passes.
Invariant: the parts, one behind the other, are the live chain down to the height that was asked for, or to the beginning of
the log.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import NamedTuple

from streams.core.chain import LiveBlock
from streams.core.checkpoint import Checkpoint, history_before
from streams.runtime.job import Job
from streams.runtime.rewind import Rewinder


class Part(NamedTuple):
    """``blocks``: live ones, newest first. ``base``: checkpoint from which the log was read for them; None for its beginning.

    ``read``: offsets that were read.
    """

    blocks: list[LiveBlock]
    base: Checkpoint | None
    read: int


async def live_parts(
    job: Job, partition: int, stop: int, head: int, *, number: int, checkpoints: Mapping[str, Checkpoint]
) -> AsyncGenerator[Part]:
    """The live chain at offset ``stop`` of the marked input, whose tip is at height ``head``, down below height ``number``.

    Raises PositionLostError if the log no longer reaches down there, before the first part.
    """
    rewinder = Rewinder(job, partition)
    try:
        await rewinder.lowest(stop, history_before(checkpoints, number, stop))
        while True:
            low = min(head, max(number - 1, head - job.limits.survey_blocks + 1))
            base = history_before(checkpoints, low + 1, stop)
            chain = await rewinder.survey(stop, base, low, head)
            blocks = chain.newest(len(chain))
            yield Part(blocks, base, stop - (base.at.start if base else 0))
            if not blocks or blocks[-1].block.number != low or low < number:
                return
            stop, head = blocks[-1].start, low - 1
    finally:
        await rewinder.close()


async def lowest_height(job: Job, partition: int, stop: int, number: int, checkpoints: Mapping[str, Checkpoint]) -> int | None:
    """Of the live blocks at ``number`` and above, in the log up to ``stop``; None if it holds no block at all.

    Raises PositionLostError if the log no longer reaches down there.
    """
    rewinder = Rewinder(job, partition)
    try:
        found = await rewinder.lowest(stop, history_before(checkpoints, number, stop))
    finally:
        await rewinder.close()
    return None if found is None else max(number, found)
