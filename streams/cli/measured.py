"""``--metrics-port``: /metrics for programs of which several may run on one machine, so off unless asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from streams.metrics import serve_metrics
from streams.settings import Settings

metrics_port_option = click.option(
    "--metrics-port", type=click.IntRange(0, 65_535), metavar="PORT", help="Serve /metrics on this port (default: nowhere)."
)


@contextmanager
def measured(settings: Settings, port: int | None) -> Iterator[int | None]:
    """Serve /metrics for the block; yields the port in use. Raises ConfigurationError if the port is taken."""
    if port is None:
        yield None
        return
    server = serve_metrics(settings.gateway.metrics_host, port)
    try:
        yield server.port
    finally:
        server.stop()
