"""``--metrics-port``: metrics and probes of programs of which several may run on one machine, so off unless asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from streams.health import Health
from streams.metrics import measure_disk
from streams.probe_server import serve_probes
from streams.settings import Settings

metrics_port_option = click.option(
    "--metrics-port",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="Serve /metrics, /livez, /readyz and /startupz on this port (default: probes.port, nowhere).",
)


@contextmanager
def measured(settings: Settings, port: int | None, health: Health) -> Iterator[int | None]:
    """Serve them for the block; yields the port in use. Raises ConfigurationError if the port is taken."""
    measure_disk(settings.state_dir)
    chosen = settings.probes.port if port is None else port
    if chosen is None:
        yield None
        return
    server = serve_probes(settings.probes.host, chosen, health)
    try:
        yield server.port
    finally:
        server.stop()
