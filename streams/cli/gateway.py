"""``monmouth gateway``: wires stores, model and keys to the gateway."""

from __future__ import annotations

import asyncio
import signal

import click

from connectors.embedding import open_embedder
from connectors.stores import open_memory_store, open_vector_store
from streams import loops
from streams.cluster.refusals import demand_access
from streams.ports.embedder import Embedder
from streams.serving.run import run_gateway
from streams.serving.server import Gateway, Stores
from streams.settings import GATEWAY, Settings
from streams.signing import Verifier, load_or_create_signer, load_verifier
from streams.state_folder import claim
from streams.vault.sealing import sealed_records


async def serve(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM. Raises ConfigurationError, StoreError."""
    claim(settings)
    await demand_access(settings.kafka.as_role(GATEWAY))
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    embedder = open_embedder(settings)
    with sealed_records(settings):
        await _serve(settings, embedder, verifier)


async def _serve(settings: Settings, embedder: Embedder, verifier: Verifier) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    memories = open_memory_store(settings)
    try:
        vectors = open_vector_store(settings, late=True)
        try:
            started: asyncio.Future[Gateway] = loop.create_future()
            started.add_done_callback(_announce)
            await run_gateway(settings, Stores(memories, vectors), embedder, verifier, stop, started=started)
        finally:
            await vectors.close()
    finally:
        await memories.close()


def _announce(started: asyncio.Future[Gateway]) -> None:
    if not started.cancelled():
        gateway = started.result()
        url = gateway.url
        click.echo(f"gateway: {url}  dashboard: {url}/dashboard  docs: {url}/docs  metrics: {gateway.metrics_url}")


@click.command()
@click.option("--host", help="Address to listen on (default: gateway.host, 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port (default: gateway.port, 8080; 0 takes any).")
@click.option("--metrics-port", type=click.IntRange(0, 65_535), help="Port of /metrics (default: gateway.metrics_port, 9090).")
@click.pass_obj
def gateway(settings: Settings, host: str | None, port: int | None, metrics_port: int | None) -> None:
    """Answer queries over REST and serve metrics, until interrupted.

    \b
    Who asks must show a token: the operator's (keys/operator.token in the state folder) or an agent's own. It listens on this
    machine only unless told else.

    \b
    Examples:
      monmouth gateway
      monmouth gateway --port 0 --metrics-port 0      any free ports
      curl -s localhost:8080/readyz
    """
    if host is not None:
        settings.gateway.host = host
    if port is not None:
        settings.gateway.port = port
    if metrics_port is not None:
        settings.gateway.metrics_port = metrics_port
    loops.run(serve(settings))
