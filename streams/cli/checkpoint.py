"""``monmouth checkpoint``: where stream agents stood, and going back there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from streams.cli.replay import run
from streams.core.checkpoint import NAMED
from streams.errors import ConfigurationError
from streams.partitions import partition_of
from streams.serving.addresses import parse_agent
from streams.settings import Settings
from streams.upkeep.candidates import save
from streams.upkeep.checkpoints import Listed, create, delete, listed
from streams.upkeep.pipeline import STREAM_AGENTS, open_pipeline
from streams.upkeep.replay import Start
from streams.upkeep.standing import StandingLog
from streams.vault.sealing import sealed_records

console = Console(soft_wrap=True, highlight=False)
agent_option = click.option("--agent", required=True, metavar="NAME", help="The stream agent.")
partition_option = click.option("--partition", type=click.IntRange(min=0), metavar="P", help="This partition alone.")


def _numbers(settings: Settings, partition: int | None) -> Sequence[int]:
    count = settings.kafka.partitions
    if partition is not None and partition >= count:
        raise click.UsageError(f"there are {count} partitions, from 0")
    return range(count) if partition is None else [partition]


@click.group()
def checkpoint() -> None:
    """Show, make and go back to checkpoints of stream agents.

    \b
    Examples:
      monmouth checkpoint list --agent memory
      monmouth checkpoint create before-upgrade --agent memory
      monmouth checkpoint restore m.before-upgrade --agent memory
    """


@checkpoint.command("list")
@click.option("--agent", metavar="NAME", help="The stream agent (default: all).")
@partition_option
@click.option("--all", "every", is_flag=True, help="Also the ring: one for each of the newest blocks.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each.")
@click.pass_obj
def list_command(settings: Settings, agent: str | None, partition: int | None, every: bool, as_json: bool) -> None:
    """List checkpoints: partition, block, offset, state digest, what triggered it, time of the block.

    \b
    Examples:
      monmouth checkpoint list --agent memory
      monmouth checkpoint list --agent memory --partition 0 --all --json
    """
    agents = list(STREAM_AGENTS) if agent is None else [agent]
    found = asyncio.run(listed(open_pipeline(settings), agents, _numbers(settings, partition)))
    ring = [each for each in found if each.slot.isdigit()]
    for each in found:
        if every or not each.slot.isdigit():
            click.echo(json.dumps(each.as_json()) if as_json else _line(each))
    if ring and not every and not as_json:
        low, high = min(each.block for each in ring), max(each.block for each in ring)
        console.print(f"and {len(ring)} of single blocks, {low} to {high}: --all", style="dim")


def _line(each: Listed) -> str:
    digest = each.digest.hex()[:16] if each.digest is not None else "-"
    time = datetime.fromtimestamp(each.time, UTC).isoformat() if each.time is not None else "-"
    where = f"{each.stream_agent}/{each.partition}"
    return (
        f"{where:<12} {each.slot:<18} {each.trigger:<16} block {each.block:<10} offset {each.offset:<10} {digest:<16}  {time}"
    )


@checkpoint.command("create")
@click.argument("name")
@agent_option
@partition_option
@click.pass_obj
def create_command(settings: Settings, name: str, agent: str, partition: int | None) -> None:
    """Write down, as NAME, where a stream agent stands now.

    \b
    Example:
      monmouth checkpoint create before-upgrade --agent memory
    """
    for made in asyncio.run(create(open_pipeline(settings), agent, name, _numbers(settings, partition))):
        console.print(f"{agent}/{made.partition}: {made.slot} at block {made.at.block}")


@checkpoint.command("delete")
@click.argument("name")
@agent_option
@partition_option
@click.pass_obj
def delete_command(settings: Settings, name: str, agent: str, partition: int | None) -> None:
    """Remove a checkpoint that was made with `create`.

    \b
    Example:
      monmouth checkpoint delete before-upgrade --agent memory
    """
    gone = asyncio.run(delete(open_pipeline(settings), agent, name.removeprefix(NAMED), _numbers(settings, partition)))
    console.print(f"{NAMED}{name.removeprefix(NAMED)} is gone from {gone} partitions of {agent}")


@checkpoint.command("save")
@click.argument("agent")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--min-importance",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Leave out what memories of less importance say.",
)
@click.pass_obj
def save_command(settings: Settings, agent: str, file: Path, min_importance: float) -> None:
    """Write what AGENT (an address) remembers to FILE, sealed and signed: a base for an incremental recovery.

    With --min-importance the file says of lesser memories that there are, and not what they say: a recovery then needs these
    in the store.

    \b
    Examples:
      monmouth checkpoint save 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 alice.state
      monmouth checkpoint save 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 alice.state --min-importance 0.5
    """
    name = parse_agent(agent)
    count = asyncio.run(_save(settings, name, file, min_importance))
    console.print(f"{count} facts of agent 0x{name.hex()} are in {file}")


async def _save(settings: Settings, name: bytes, file: Path, min_importance: float) -> int:
    pipeline = open_pipeline(settings)
    reader = pipeline.client.reader()
    try:
        with sealed_records(settings):
            standing = StandingLog(pipeline, partition_of(name, settings.kafka.partitions))
            await standing.read(reader)
            return save(file, standing, name, pipeline.signer, min_importance)
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror or error}") from None
    finally:
        await reader.close()


@checkpoint.command("restore")
@click.argument("slot")
@agent_option
@partition_option
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line at a time.")
@click.pass_obj
def restore_command(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, slot: str, agent: str, partition: int | None, dry_run: bool, as_json: bool
) -> None:
    """Go back to the checkpoint SLOT and do all that came after it again: a replay from its block.

    The state digest after taking the blocks back must be the checkpoint's.

    \b
    Example:
      monmouth checkpoint restore m.before-upgrade --agent memory --dry-run
    """
    start = Start(checkpoint=slot)
    numbers = _numbers(settings, partition)
    asyncio.run(run(open_pipeline(settings), agent, start, numbers, dry_run=dry_run, as_json=as_json))
