"""``monmouth watch``: an agent's change feed on the terminal, or as lines of JSON for other programs."""

from __future__ import annotations

import click
from rich.console import Console
from rich.text import Text

from streams.cli.asking import gateway_client, gateway_option, source
from streams.serving.wire import CHANGE_TYPES, Change, ChangeType
from streams.settings import Settings

COLORS = {"memory.stored": "green", "memory.forgotten": "yellow", "memory.undone": "red", "block.undone": "red"}
WIDEST = 200
"""Characters of a content shown."""


@click.command()
@click.argument("agent")
@click.option("--type", "types", multiple=True, type=click.Choice(CHANGE_TYPES), help="Only these; repeat for several.")
@click.option("--cursor", help="Go on after the change of this id: nothing is missed, nothing comes twice.")
@click.option("--from-beginning", is_flag=True, help="Begin with the oldest change that the log holds.")
@click.option("-n", "--count", type=click.IntRange(min=1), help="End after so many changes.")
@gateway_option
@click.option("--json", "as_json", is_flag=True, help="Print each change as one line of JSON.")
@click.pass_obj
def watch(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    types: tuple[ChangeType, ...],
    cursor: str | None,
    from_beginning: bool,
    count: int | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Follow what happens to AGENT's memories, until interrupted: stored, forgotten, and undone where the chain reorganised.

    Connects again by itself when the gateway restarts. Each line shows the cursor to go on from.

    \b
    Examples:
      monmouth watch 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
      monmouth watch 0x7099... --type memory.stored --json | jq .memory.text
      monmouth watch 0x7099... --cursor 2.1041.1
    """
    console = Console()
    with gateway_client(settings, url) as client:
        changes = client.watch(agent, types=types, cursor=cursor, start="beginning" if from_beginning else "now")
        for number, change in enumerate(changes, 1):
            if as_json:
                click.echo(change.model_dump_json())
            else:
                console.print(_line(change), soft_wrap=True)
            if number == count:
                return


def _line(change: Change) -> Text:
    line = Text.assemble((f"{change.cursor}  ", "dim"), (change.type, COLORS.get(change.type, "")))
    if change.memory is not None:
        content = change.memory.text if change.memory.text is not None else change.memory.media_type
        line.append(f"  {content[:WIDEST]}  ").append(source(change.memory.citation), "dim")
    elif change.memory_id is not None:
        line.append(f"  {change.memory_id}", "dim")
    if change.undone is not None:
        line.append(f"  was {change.undone.removeprefix('memory.')}")
    if change.removed and change.ancestor is not None:
        line.append(f"  {len(change.removed)} blocks off the chain, down to {change.ancestor.number}")
    elif change.memory is None and change.block is not None:
        line.append(f"  block {change.block.number}", "dim")
    return line
