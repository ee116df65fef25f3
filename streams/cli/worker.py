"""``monmouth worker``: runs stream agents on this process's share of the partitions."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack

import click

from streams import loops
from streams.cli.measured import measured, metrics_port_option
from streams.cli.wiring import AGENTS, agent_factories
from streams.collector import relax_collector
from streams.health import Health, Look
from streams.ops.health.components import WORKER
from streams.ops.health.looks import local, monitored, of_stores
from streams.ops.reporter import reporting, this_process
from streams.runtime.stalls import watch_stalls
from streams.runtime.worker import run_worker
from streams.settings import Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.state_folder import claim
from streams.tracing import traced

OPENING = Look(False, ("its model and its stores are being opened",))


async def work(settings: Settings, names: Sequence[str], health: Health) -> None:
    """Runs until SIGINT or SIGTERM, then finishes the transactions in flight. Raises MonmouthError."""
    claim(settings)
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        stack.enter_context(traced(settings, WORKER, settings.kafka.instance_id or this_process()))
        stack.callback(asyncio.create_task(watch_stalls()).cancel)
        health.look(OPENING)
        factories = agent_factories(settings, names, stack)
        reports_as = settings.kafka.as_role(factories[0].spec.name)
        monitor = await stack.enter_async_context(monitored(settings, local(settings), of_stores(settings, factories)))
        instance = settings.kafka.instance_id
        await stack.enter_async_context(reporting(settings, reports_as, WORKER, health, instance, monitor=monitor))
        await run_worker(settings, factories, verifier, signer, stop, health=health)


@click.command()
@click.option(
    "--agents",
    default=",".join(AGENTS),
    show_default=True,
    metavar="NAME,...",
    help="Stream agents to run in this process.",
)
@click.option("--standby", is_flag=True, help="Also follow the partitions of other workers, ready to take over.")
@metrics_port_option
@click.pass_obj
def worker(settings: Settings, agents: str, standby: bool, metrics_port: int | None) -> None:
    """Run stream agents on a share of the partitions, until interrupted.

    Start as many workers as there are partitions, on any machines; each stream agent is a consumer group of its own. With
    --standby a worker on a machine of its own keeps local state of all partitions, and takes over without reading the log.

    \b
    Examples:
      monmouth worker
      monmouth worker --agents memory,lattice
      monmouth worker --agents embedding            where the processors are
      monmouth worker --standby                     on each of two machines
      monmouth worker --agents webhook              posts records to webhook.url
    """
    settings.worker.standby = settings.worker.standby or standby
    relax_collector()
    health = Health(settings.probes.live_seconds)
    with measured(settings, metrics_port, health):
        loops.run(work(settings, [name.strip() for name in agents.split(",") if name.strip()], health))
