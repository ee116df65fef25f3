"""``monmouth ops``: the application that folds what processes report into windows of time."""

from __future__ import annotations

import asyncio
import signal

import click

from streams.cli.measured import measured, metrics_port_option
from streams.errors import ConfigurationError
from streams.health import Health
from streams.ops.reporter import reporting
from streams.settings import OPS, Settings


def no_faust() -> ConfigurationError:
    """What is said where the extra is missing."""
    return ConfigurationError("faust is not installed", "pip install 'monmouth[ops]'")


async def fold(settings: Settings, health: Health) -> None:
    """Runs until SIGINT or SIGTERM. Raises MonmouthError."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        from streams.ops.app.run import run_ops  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in {"faust", "mode"}:
            raise
        raise no_faust() from None
    async with reporting(settings, settings.kafka.as_role(OPS), OPS, health, settings.kafka.instance_id):
        await run_ops(settings, stop, health)


@click.command()
@metrics_port_option
@click.pass_obj
def ops(settings: Settings, metrics_port: int | None) -> None:
    """Fold what all processes report into windows: rates, percentiles, levels and trends, until interrupted.

    \b
    Reads ops.metrics, writes ops.windows; its tables are topics too, so it may be killed and started anywhere. Start several to
    share the partitions. Everything else works without it.

    \b
    Example:
      monmouth ops
    """
    health = Health(settings.probes.live_seconds)
    with measured(settings, metrics_port, health):
        asyncio.run(fold(settings, health))
