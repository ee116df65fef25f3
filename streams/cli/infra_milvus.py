"""``monmouth infra milvus``: a Milvus server on this machine, for trying out search across agents.

Invariant: a server that settings name elsewhere is never started or stopped.
"""

from __future__ import annotations

import click
from click.exceptions import Exit
from rich.console import Console

from infra.milvus import LocalMilvus
from infra.milvus.local import DEFAULT_PORT
from streams.settings import Settings

console = Console(soft_wrap=True)


@click.group()
def milvus() -> None:
    """Start, stop and look at a local Milvus server: a store of vectors for several workers and large searches.

    \b
    Examples:
      monmouth infra milvus up
      MONMOUTH_RAG__VECTOR_STORE_URL=http://127.0.0.1:19530 monmouth worker
    """


@milvus.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=DEFAULT_PORT, show_default=True, help="On loopback; 0: any.")
@click.option("--exposed", is_flag=True, help="Where it cannot be shut off from the network, let it listen on all interfaces.")
@click.pass_obj
def up(settings: Settings, port: int, exposed: bool) -> None:
    """Start the server and wait until it is healthy. The first time this fetches it (58 MB; Linux, x86-64).

    \b
    Examples:
      monmouth infra milvus up
      monmouth infra milvus up --port 19531
    """
    server = LocalMilvus(settings.state_dir, port=port, exposed=exposed, say=console.print)
    started = server.start()
    console.print(f"Milvus {'is up' if started else 'was up already'} at {server.url} (pid {server.pid})", highlight=False)
    if settings.rag.vector_store_url != server.url:
        console.print(f"Other commands use it with MONMOUTH_RAG__VECTOR_STORE_URL={server.url}", highlight=False)


@milvus.command()
@click.pass_obj
def down(settings: Settings) -> None:
    """Stop the server. Its data stay.

    \b
    Example:
      monmouth infra milvus down
    """
    stopped = LocalMilvus(settings.state_dir, say=console.print).stop()
    console.print("Milvus is down" if stopped else "Milvus was not running")


@milvus.command()
@click.pass_obj
def status(settings: Settings) -> None:
    """Say whether the server runs and answers. Exit code 1 if not.

    \b
    Example:
      monmouth infra milvus status
    """
    found = LocalMilvus(settings.state_dir).status()
    if not found.running:
        console.print("Milvus is not running; start it with 'monmouth infra milvus up'")
        raise Exit(1)
    console.print(
        f"Milvus {'answers' if found.answers else 'does not answer'} at {found.url} (pid {found.pid}), log {found.log}",
        highlight=False,
    )
    if not found.private:
        console.print("it listens on all interfaces, without a password")
    if not found.answers:
        raise Exit(1)
