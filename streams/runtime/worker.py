"""A worker: any set of stream agents in one process, each with its own loop and consumer group.

Invariant: when one of them meets an error that no retry can mend, all stop at a transaction boundary, and the error is raised.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from streams.health import Health, Look, Pulse, watch
from streams.ports.log import LogClient
from streams.runtime.deferral import check_defers
from streams.runtime.job import AgentFactory, Limits, job_of
from streams.runtime.kafka import KafkaClient
from streams.runtime.loop import AgentLoop
from streams.settings import ProbeSettings, Settings
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
    health: Health | None = None,
) -> None:
    """Runs until ``stop`` is set; then finishes the transactions in flight and leaves the groups. ``health`` is kept true.

    Raises the first error that stops a stream agent for good: LogIntegrityError, PositionLostError, ConfigurationError, or a
    defect of a stream agent as it is.
    """
    for agent in agents:
        check_defers(agent.spec)
    halt = asyncio.Event()
    clients = [client or KafkaClient(settings.kafka.as_role(agent.spec.name)) for agent in agents]
    jobs = [
        job_of(agent, log, settings, verifier=verifier, signer=signer, limits=limits)
        for agent, log in zip(agents, clients, strict=True)
    ]
    loops = [AgentLoop(job, halt) for job in jobs]
    running = [
        asyncio.create_task(loop.run(), name=f"agent {agent.spec.name}") for loop, agent in zip(loops, agents, strict=True)
    ]
    stopped = asyncio.create_task(stop.wait())
    watching = _watched(health, settings.probes, loops, agents) if health is not None else []
    try:
        await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        halt.set()
        stopped.cancel()
        if health is not None:
            health.stopping()
        results = await asyncio.gather(*running, return_exceptions=True)
        for task in watching:
            task.cancel()
    for agent, result in zip(agents, results, strict=True):
        if isinstance(result, BaseException):
            _log.error("%s stopped: %s", agent.spec.name, result)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        raise failures[0]


def _watched(
    health: Health, settings: ProbeSettings, loops: Sequence[AgentLoop], agents: Sequence[AgentFactory]
) -> list[asyncio.Task[None]]:
    """Tasks that keep ``health`` true: ready while all partitions held run, and brokers and stores answer. It has started when
    each has its share of the partitions, and its broker and store have once answered.
    """
    pulses = {loop.name: [Pulse(f"{loop.name}: the broker", loop.ask)] for loop in loops}
    for agent in agents:
        if agent.probe is not None:
            pulses[agent.spec.name].append(Pulse(f"{agent.spec.name}: its store", agent.probe))

    def look() -> Look:
        parts = {
            loop.name: [
                *loop.complaints(settings.rewind_seconds),
                *(pulse.complaint for pulse in pulses[loop.name] if pulse.complaint),
            ]
            for loop in loops
        }
        complaints = [complaint for found in parts.values() for complaint in found]
        met = all(pulse.met for found in pulses.values() for pulse in found)
        return Look(met and all(loop.started for loop in loops), complaints, parts)

    beating = [pulse.beat() for found in pulses.values() for pulse in found]
    return [asyncio.create_task(watch(health, look)), *map(asyncio.create_task, beating)]
