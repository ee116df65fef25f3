"""The moment a request asks about, checked against the chain."""

from __future__ import annotations

import time
from typing import Protocol

from streams.core.moment import Moment
from streams.serving.chain import ChainReader
from streams.serving.faults import BadRequestError


async def moment_of(
    chain: ChainReader,
    *,
    as_of_block: int | None = None,
    as_of_time: int | None = None,
    valid_at: int | None = None,
    include_invalid: bool = False,
) -> Moment:
    """What was known at ``as_of_block``: records of blocks up to it, and commands of its time or earlier; ``as_of_time`` bounds
    both. Raises BadRequestError for a block that is not there, or whose time is not known and not given.
    """
    known = as_of_time
    if as_of_block is not None:
        await chain.barrier()
        head = chain.view.head
        if head is None or as_of_block > head.number:
            raise BadRequestError(f"block {as_of_block} is not there", f"The head is block {head.number if head else None}.")
        at = chain.view.times.of(as_of_block)
        if at is None and as_of_time is None:
            raise BadRequestError(
                f"block {as_of_block} is too old for the gateway to know its time", "Give it as as_of_time, beside as_of_block."
            )
        known = min(time for time in (at, as_of_time) if time is not None)
    return Moment(int(time.time()), as_of_block, known, valid_at, include_invalid)


class Asked(Protocol):
    """What the body of a question says of the moment."""

    as_of_block: int | None
    as_of_time: int | None
    valid_at: int | None
    include_invalid: bool


async def moment_asked(chain: ChainReader, wanted: Asked) -> Moment:
    """The moment of a question. Raises BadRequestError."""
    return await moment_of(
        chain,
        as_of_block=wanted.as_of_block,
        as_of_time=wanted.as_of_time,
        valid_at=wanted.valid_at,
        include_invalid=wanted.include_invalid,
    )
