"""Which chain a source serves: asked before anything is written.

Assumes nothing of the source but its interface. Invariants: a chain other than the one set, and an address where no node
answers but something else, end the run at once; a node that does not answer is waited for where the run is one that goes on
until it is stopped, and otherwise is asked a few times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streams.errors import ConfigurationError, NotANodeError, SourceError, may_pass
from streams.policy import CircuitOpenError
from streams.ports.chain import ChainSource
from streams.producer.loop import ATTEMPTS, pause_after
from streams.settings import ChainSettings

HINT = "Is the node running, and is this its address?"


async def identify(source: ChainSource, settings: ChainSettings, waiting: Callable[[str], None] | None = None) -> int:
    """The chain id of the source. Raises SourceError, or ConfigurationError if it is not the one set.

    ``waiting``: is told why, at each failure, and has it go on asking until the source answers; without it, a few times.
    """
    failures, said = 0, ""
    while True:
        try:
            found = await source.chain_id()
            break
        except NotANodeError:
            raise
        except SourceError as error:
            failures += 1
            if not (said and isinstance(error, CircuitOpenError)):  # that it is not asked for a moment is no news
                said = cause(error)
            if failures >= ATTEMPTS and not (waiting is not None and may_pass(error)):
                raise (SourceError(said, HINT) if isinstance(error, CircuitOpenError) else error) from None
            if waiting is not None:
                waiting(said)
            await asyncio.sleep(pause_after(failures))
    if settings.chain_id not in (None, found):
        raise ConfigurationError(f"the node is chain {found}, chain.chain_id is set to {settings.chain_id}")
    return found


def cause(error: SourceError) -> str:
    """What the source met: the same text for the same failure, also while it is not asked for a moment."""
    return error.why if isinstance(error, CircuitOpenError) and error.why else error.message
