"""``monmouth supervise``: runs the processes of a deployment on one machine, and heals those that fail."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import click

from infra.broker.ports import free_ports
from streams import loops
from streams.cli.measured import measured, metrics_port_option
from streams.cli.ops import no_faust
from streams.cli.wiring import AGENTS
from streams.cluster.reach import any_listens
from streams.health import Health
from streams.ops.recovery.ailments import Kind
from streams.ops.recovery.decide import Action
from streams.ops.recovery.programs import Program, Programs, alone
from streams.ops.recovery.strategies import Strategies
from streams.ops.recovery.supervisor import Supervisor
from streams.ops.reporter import reporting
from streams.settings import Settings
from streams.switches import FILE
from streams.upkeep.pipeline import open_pipeline

FOLDER = Path("supervise")
COMPONENT = "supervisor"
MOST_OTHERS = 4
"""Programs beside workers."""
TABLES_SECONDS = 240.0
"""More than others have to start, for `monmouth ops`, which reads its tables first: five minutes in all, as in Kubernetes."""


def programs_of(
    settings: Settings,
    agents: str,
    workers: int,
    *,
    producer: bool,
    gateway: bool,
    ops: bool = False,
    alerts: bool = False,
) -> list[Program]:
    """What is to run, each with a port of its own for its probes, and a name in the groups if the settings give one."""
    known = settings.gateway.metrics_port
    ports = iter([port for port in free_ports(workers + MOST_OTHERS + 1) if port != known])
    found = [_program(settings, next(ports), "producer", Kind.PRODUCER, "producer")] if producer else []
    for number in range(1, workers + 1):
        worker = _program(settings, next(ports), f"worker-{number}", Kind.WORKER, "worker", "--agents", agents)
        if settings.kafka.instance_id is not None:
            named = {"MONMOUTH_KAFKA__INSTANCE_ID": f"{settings.kafka.instance_id}-{number}"}
            worker = replace(worker, environment={**worker.environment, **named})
        found.append(worker)
    if gateway:
        found.append(_program(settings, known or next(ports), "gateway", Kind.GATEWAY, "gateway"))
    if ops:
        found.append(replace(_program(settings, next(ports), "ops", Kind.OPS, "ops"), opening=TABLES_SECONDS))
    if alerts:
        found.append(_program(settings, next(ports), "alerts", Kind.ALERTS, "alerts", "watch", "--from-log"))
    return found


def _program(settings: Settings, port: int, name: str, kind: Kind, *arguments: str) -> Program:
    shared = {"MONMOUTH_STATE_DIR": str(settings.state_dir), "MONMOUTH_KAFKA__BOOTSTRAP": settings.kafka.bootstrap}
    return Program(name, kind, (*arguments, "--metrics-port", str(port)), port, shared)


def runs_ops(asked: bool | None, *, producer: bool) -> bool:
    """Whether `monmouth ops` is to run: as asked; else beside the producer, if it can. Raises ConfigurationError."""
    there = "faust" in sys.modules or find_spec("faust") is not None  # once imported it has no spec to find
    if asked and not there:
        raise no_faust()
    return there and producer if asked is None else asked


async def watch_over(settings: Settings, programs: list[Program], health: Health) -> None:
    """Until SIGINT or SIGTERM; SIGHUP says that a person has looked. Raises ConfigurationError."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    running = Programs(settings.path(FOLDER), programs)
    strategies = Strategies(
        running,
        settings.path(FILE),
        lambda: open_pipeline(settings),
        settings.kafka.session_timeout_ms / 1000,
        settings.reorg.window,
    )
    supervisor = Supervisor(running, strategies, brokers=partial(any_listens, settings.kafka.bootstrap))
    supervisor.told = _tell
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, supervisor.reopen)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            reporting(settings, settings.kafka.as_role(COMPONENT), COMPONENT, health, settings.kafka.instance_id)
        )
        await supervisor.run(stop, health)


def _tell(action: Action, outcome: str) -> None:
    with suppress(OSError):  # nobody listens any more, and that is no reason to end
        click.echo(f"{action.strategy} of {action.target}: {outcome} ({action.why})", err=True)


@click.command()
@click.option("--agents", default=",".join(AGENTS), show_default=True, metavar="NAME,...", help="Of each worker.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(0, 64), help="How many workers.")
@click.option("--producer/--no-producer", default=True, show_default=True, help="Run a block producer.")
@click.option("--gateway/--no-gateway", default=True, show_default=True, help="Run a gateway.")
@click.option("--ops/--no-ops", default=None, help="Run `monmouth ops` (default: with the producer, if faust is installed).")
@click.option(
    "--alerts/--no-alerts",
    default=None,
    help="Run `monmouth alerts watch --from-log`, of which a deployment has one (default: with the producer).",
)
@metrics_port_option
@click.pass_obj
def supervise(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agents: str,
    workers: int,
    producer: bool,
    gateway: bool,
    ops: bool | None,
    alerts: bool | None,
    metrics_port: int | None,
) -> None:
    """Run producer, workers, gateway, ops and alerts here, and heal those that fail; ends them when it is interrupted.

    What it does by itself, and when it leaves things to a person, is in docs/recovery.md. Logs lie in supervise/ of the state
    folder. kill -HUP says that a person has looked at what it gave up. Where Kubernetes starts processes, it is not needed.

    \b
    Examples:
      monmouth supervise --workers 2
      monmouth supervise --no-producer --no-gateway --agents memory,lattice
      monmouth supervise --no-alerts
    """
    programs = programs_of(
        settings,
        agents,
        workers,
        producer=producer,
        gateway=gateway,
        ops=runs_ops(ops, producer=producer),
        alerts=producer if alerts is None else alerts,
    )
    health = Health(settings.probes.live_seconds)
    with alone(settings.path(FOLDER)), measured(settings, metrics_port, health):
        loops.run(watch_over(settings, programs, health))
