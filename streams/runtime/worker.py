"""A worker: any set of stream agents in one process, each with its own loop and consumer group.

Invariant: when one of them meets an error that no retry can mend, all stop at a transaction boundary, and the error is raised.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from streams.ports.log import LogClient
from streams.runtime.job import AgentFactory, Limits, job_of
from streams.runtime.kafka import KafkaClient
from streams.runtime.loop import AgentLoop
from streams.settings import Settings
from streams.signing import Signer, Verifier

_log = logging.getLogger(__name__)


async def run_worker(
    settings: Settings,
    agents: Sequence[AgentFactory],
    verifier: Verifier,
    signer: Signer,
    stop: asyncio.Event,
    *,
    client: LogClient | None = None,
    limits: Limits | None = None,
) -> None:
    """Runs until ``stop`` is set; then finishes the transactions in flight and leaves the groups.

    Raises the first error that stops a stream agent for good: LogIntegrityError, PositionLostError, ConfigurationError, or a
    defect of a stream agent as it is.
    """
    log = client or KafkaClient(settings.kafka)
    halt = asyncio.Event()
    loops = [AgentLoop(job_of(agent, log, settings, verifier=verifier, signer=signer, limits=limits), halt) for agent in agents]
    running = [
        asyncio.create_task(loop.run(), name=f"agent {agent.spec.name}") for loop, agent in zip(loops, agents, strict=True)
    ]
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        halt.set()
        stopped.cancel()
        results = await asyncio.gather(*running, return_exceptions=True)
    for agent, result in zip(agents, results, strict=True):
        if isinstance(result, BaseException):
            _log.error("%s stopped: %s", agent.spec.name, result)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        raise failures[0]
