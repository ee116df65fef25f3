"""``monmouth infra cassandra``: one Cassandra node under the pipeline, for a machine that has none.

Invariant: nodes that the settings name on other machines are never started or stopped.
"""

from __future__ import annotations

import click
from click.exceptions import Exit
from rich.console import Console

from infra.broker.diagnosis import cause_of_death, tail
from infra.cassandra import CassandraNode
from infra.cassandra.node import ADDRESS
from streams.cli.jar_progress import jar_progress
from streams.errors import ConfigurationError
from streams.settings import Settings

console = Console(soft_wrap=True)


@click.group()
def cassandra() -> None:
    """Start, stop and look at a local Cassandra for memories. It needs Java 17, which is fetched if it is not here.

    \b
    Examples:
      monmouth infra cassandra up
      MONMOUTH_CASSANDRA__CONTACT_POINTS='["127.0.0.1"]' monmouth worker
    """


@cassandra.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; default: that of the settings.")
@click.pass_obj
def up(settings: Settings, port: int | None) -> None:
    """Start the node and wait until it takes connections. The first time this fetches its jars (56 MB).

    \b
    Examples:
      monmouth infra cassandra up
      monmouth infra cassandra up --port 19042
    """
    _demand_local(settings)
    running = CassandraNode(settings.state_dir).pid is not None
    with jar_progress(console, "Cassandra's") as on_jar:
        chosen = port or (0 if running else settings.cassandra.port)
        node = CassandraNode(settings.state_dir, port=chosen, say=console.print, on_jar=on_jar)
        started = node.start()
    console.print(f"Cassandra {'is up' if started else 'was up already'} at {ADDRESS}:{node.port} (pid {node.pid})")
    if not settings.cassandra.contact_points:
        console.print(f"""Other commands use it with MONMOUTH_CASSANDRA__CONTACT_POINTS='["{ADDRESS}"]'""", highlight=False)
    if node.port != settings.cassandra.port:
        console.print(f"and MONMOUTH_CASSANDRA__PORT={node.port}", highlight=False)


@cassandra.command()
@click.pass_obj
def down(settings: Settings) -> None:
    """Stop the node. Its data stay.

    \b
    Example:
      monmouth infra cassandra down
    """
    _demand_local(settings)
    stopped = CassandraNode(settings.state_dir, say=console.print).stop()
    console.print("Cassandra is down" if stopped else "Cassandra was not running")


@cassandra.command()
@click.pass_obj
def status(settings: Settings) -> None:
    """Say whether the node runs and takes connections. Exit code 1 if not.

    \b
    Example:
      monmouth infra cassandra status
    """
    _demand_local(settings)
    node = CassandraNode(settings.state_dir)
    found = node.status()
    if not found.running:
        if (node.folder / "cassandra.pid").exists():
            raise cause_of_death(tail(node.log), node.folder, None, "Cassandra")
        console.print("Cassandra is not running; start it with 'monmouth infra cassandra up'")
        raise Exit(1)
    console.print(f"Cassandra {'answers' if found.answers else 'does not answer'} at {found.endpoint} (pid {found.pid})")
    console.print(f"log {found.log}")
    if not found.answers:
        raise Exit(1)


def _demand_local(settings: Settings) -> None:
    others = [point for point in settings.cassandra.contact_points if point not in {ADDRESS, "localhost"}]
    if others:
        raise ConfigurationError(
            f"cassandra.contact_points names {', '.join(others)}, which is not ours to start or stop",
            "Look at it with its own tools, or leave the setting empty.",
        )
