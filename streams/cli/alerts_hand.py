"""``monmouth alerts enable``, ``disable``, ``resolve``, ``silence``: what is done with alerts by hand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click

from streams.cli.alert_files import rules_in_use, rules_option
from streams.errors import ConfigurationError
from streams.ops.alerts.desk import AlertDesk
from streams.ops.alerts.expression import duration
from streams.ops.alerts.rules import ALL
from streams.ops.alerts.silences import FILE, Silence, read, write
from streams.settings import Settings
from streams.wall import time_of_day

_name = click.argument("name")


@click.command()
@_name
@click.pass_obj
def enable(settings: Settings, name: str) -> None:
    """Switch a rule of the rules file on (`ops.rules_file`); `alerts watch --from-log` takes it up at once.

    \b
    Example:
      monmouth alerts enable HighLatency
    """
    AlertDesk(settings).book.enable(name)


@click.command()
@_name
@click.pass_obj
def disable(settings: Settings, name: str) -> None:
    """Switch a rule of the rules file off (`ops.rules_file`); `alerts watch --from-log` takes it up at once.

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


@click.command()
@_name
@click.option("--for", "length", default="2h", show_default=True, help="How long: 30m, 2h, 3d.")
@click.option("--label", "pairs", multiple=True, metavar="K=V", help="Only where the alert has this label; repeat for more.")
@click.option("--reason", default="", help="Shown in the list.")
@rules_option
@click.pass_obj
def silence(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, name: str, length: str, pairs: tuple[str, ...], reason: str, file: Path | None
) -> None:
    """Have nobody told of a rule's alerts for a while; `*` is all rules. They are kept, listed and shown as silenced.

    Watches of this state folder obey it. What fires on when it ends is told then. A name that no rule has is refused: give
    --rules as the watch has it.

    \b
    Examples:
      monmouth alerts silence FallingBehind --for 30m --label agent=memory --reason "a rebuild"
      monmouth alerts silence "*" --for 1h
    """
    names = [rule.name for rule in rules_in_use(settings, file)]
    if name not in {ALL, *names}:
        raise ConfigurationError(f"no rule is called {name}: {', '.join(sorted(names))}", "`*` is all rules.")
    path, now = settings.path(FILE), time_of_day()
    made = Silence(name, now + duration(length), labels_of(pairs), reason)
    write(path, [*read(path), made], now)
    click.echo(_line(made))


@click.group("silences")
def silences_() -> None:
    """What nobody is told of now.

    \b
    Examples:
      monmouth alerts silences list
      monmouth alerts silences end 1f0c3b2a
    """


@silences_.command("list")
@click.pass_obj
def list_(settings: Settings) -> None:
    """Show the silences that are not over.

    \b
    Example:
      monmouth alerts silences list
    """
    now = time_of_day()
    for found in sorted(read(settings.path(FILE)), key=lambda one: one.until):
        if found.until > now:
            click.echo(_line(found))


@silences_.command()
@click.argument("id")
@click.pass_obj
def end(settings: Settings, id: str) -> None:  # noqa: A002  (the name of the argument)
    """End a silence now; what fires is told.

    \b
    Example:
      monmouth alerts silences end 1f0c3b2a
    """
    path = settings.path(FILE)
    found = read(path)
    if id not in {one.id for one in found}:
        raise ConfigurationError(f"no silence has the id {id}", "See `monmouth alerts silences list`.")
    write(path, [one for one in found if one.id != id], time_of_day())


def _line(one: Silence) -> str:
    where = "".join(f" {name}={value}" for name, value in sorted(one.labels.items()))
    said = f"  {one.reason}" if one.reason else ""
    return f"{one.id}  until {datetime.fromtimestamp(one.until, UTC):%Y-%m-%d %H:%M:%S} UTC  {one.rule}{where}{said}"


def labels_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Of ``K=V``. Raises UsageError."""
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise click.UsageError(f"--label {wrong[0]}: write it as name=value")
    return dict(pair.split("=", 1) for pair in pairs)
