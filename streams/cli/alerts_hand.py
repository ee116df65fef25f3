"""``monmouth alerts enable``, ``disable`` and ``resolve``: what is done with alerts by hand."""

from __future__ import annotations

import asyncio

import click

from streams.ops.alerts.desk import AlertDesk
from streams.settings import Settings

_name = click.argument("name")


@click.command()
@_name
@click.pass_obj
def enable(settings: Settings, name: str) -> None:
    """Switch a rule of the rules file on (`ops.rules_file`); the watch takes it up at its next start.

    \b
    Example:
      monmouth alerts enable HighLatency
    """
    AlertDesk(settings).book.enable(name)


@click.command()
@_name
@click.pass_obj
def disable(settings: Settings, name: str) -> None:
    """Switch a rule of the rules file off (`ops.rules_file`); the watch takes it up at its next start.

    \b
    Example:
      monmouth alerts disable HighLatency
    """
    AlertDesk(settings).book.disable(name)


@click.command()
@_name
@click.option("--label", "pairs", multiple=True, metavar="K=V", help="Only where the alert has this label; repeat for more.")
@click.pass_obj
def resolve(settings: Settings, name: str, pairs: tuple[str, ...]) -> None:
    """Declare over what fires of a rule: in ops.alerts, and by the watch on its channels.

    The watch tells of it again when it fires anew, or when a watch that begins finds that it still holds.

    \b
    Examples:
      monmouth alerts resolve HighMemory
      monmouth alerts resolve FallingBehind --label agent=memory
    """
    for record in asyncio.run(AlertDesk(settings).resolve(name, labels_of(pairs))):
        click.echo(record.summary)


def labels_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Of ``K=V``. Raises UsageError."""
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise click.UsageError(f"--label {wrong[0]}: write it as name=value")
    return dict(pair.split("=", 1) for pair in pairs)
