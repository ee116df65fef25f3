"""``monmouth replay``: has a stream agent take blocks back and do them again, while everything else goes on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

import click
from click.exceptions import Exit
from rich.console import Console

from streams.cli.asking import TimeType
from streams.settings import Settings
from streams.upkeep.pipeline import Pipeline, open_pipeline
from streams.upkeep.replay import Asked, Plan, Progress, ReplayError, Start, Watcher, going_on, plan, request

FIRST_TIME = 1_000_000_000
"""A number from here on is a time in unix seconds, below it a height."""
LOOK_SECONDS = 1.0
SILENT_SECONDS = 10.0
"""After so long without an owner who begins, the command says so."""

console = Console(soft_wrap=True, highlight=False)


@click.command()
@click.option("--agent", required=True, metavar="NAME", help="The stream agent, as `monmouth worker` names it.")
@click.option("--from-block", type=click.IntRange(min=0), metavar="N", help="The first block to be done again.")
@click.option("--from-time", type=TimeType(), metavar="TIME", help="The first block at or after this (unix or ISO 8601, UTC).")
@click.option("--from-checkpoint", metavar="SLOT", help="The first block after this checkpoint.")
@click.option("--to", "until", metavar="BLOCK|TIME", help="Wait until this is done again; see below.")
@click.option("--partition", type=click.IntRange(min=0), metavar="P", help="This partition alone.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line at a time.")
@click.pass_obj
def replay(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    from_block: int | None,
    from_time: int | None,
    from_checkpoint: str | None,
    until: str | None,
    partition: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take a stream agent's blocks back, newest first, and do them again. Workers stay up; other stream agents go on.

    Readers of its outputs see a reorganisation: an UNDO of these blocks, then the blocks again. The workers do it; this command
    asks for it and shows how far it is. End it at any time: the replay goes on, and the same command shows it again.

    --to bounds how long this command waits, not what is done: blocks are taken back from the newest down, since each stands on
    those before it, so all from the first on are done again.

    \b
    Examples:
      monmouth replay --agent memory --from-block 1200 --dry-run
      monmouth replay --agent lattice --from-time 2026-01-31T12:00:00Z
      monmouth replay --agent graph --from-checkpoint hb0.3 --partition 2
    """
    if sum(option is not None for option in (from_block, from_time, from_checkpoint)) != 1:
        raise click.UsageError("name one of --from-block, --from-time and --from-checkpoint")
    if partition is not None and partition >= settings.kafka.partitions:
        raise click.UsageError(f"there are {settings.kafka.partitions} partitions, from 0")
    numbers = range(settings.kafka.partitions) if partition is None else [partition]
    start = Start(from_block, from_time, from_checkpoint)
    asyncio.run(run(open_pipeline(settings), agent, start, numbers, until=until, dry_run=dry_run, as_json=as_json))


async def run(
    pipeline: Pipeline,
    agent: str,
    start: Start,
    numbers: Sequence[int],
    *,
    until: str | None = None,
    dry_run: bool = False,
    as_json: bool = False,
) -> None:
    """Plans, asks and watches. Raises MonmouthError; Exit if a partition refused."""
    pipeline.lookup(agent)
    asked = None if dry_run else await going_on(pipeline, agent, start, numbers)
    if asked is None:
        plans = await plan(pipeline, agent, start, numbers)
        if dry_run:
            _print_plans(agent, plans, as_json=as_json)
            return
        last = None if until is None else await _height(pipeline, agent, until, numbers[0])
        asked = await request(pipeline, agent, {each.partition: each.first for each in plans}, last)
    try:
        await _watch(pipeline, agent, asked, as_json=as_json)
    except (asyncio.CancelledError, KeyboardInterrupt):
        click.echo("the replay goes on without this command; give it again to watch", err=True)
        raise


async def _height(pipeline: Pipeline, agent: str, until: str, number: int) -> int | None:
    """The last block that is waited for: a height, or the last block before a time; None if that is all there are."""
    if until.isdigit() and int(until) < FIRST_TIME:
        return int(until)
    moment = TimeType().convert(until, None, None)
    try:
        (found,) = await plan(pipeline, agent, Start(time=moment), [number])
    except ReplayError:
        return None
    return found.first - 1


def _print_plans(agent: str, plans: Sequence[Plan], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"agent": agent, "partitions": [each.as_json() for each in plans]}))
        return
    for each in plans:
        begins, stands = each.offsets
        found = f"checkpoint {each.base}" if each.base else "the beginning of the log"
        console.print(
            f"{agent}/{each.partition}: {each.blocks} blocks, {each.first} to {each.head}, {each.records} records, "
            f"offsets {begins} to {stands}; found from {found}; reading alone takes {each.seconds:.1f} s"
        )
    console.print(f"{agent} would take these blocks back and do them again; nothing was done")


async def _watch(pipeline: Pipeline, agent: str, asked: Asked, *, as_json: bool) -> None:
    began, silent = time.monotonic(), True
    async with Watcher(pipeline, agent, asked) as watcher:
        while True:
            found = await watcher.look()
            now = time.monotonic()
            _print_progress(agent, asked.id, found, watcher.seconds_left(found, now), as_json=as_json)
            if all(part.reached(asked.until) for part in found):
                if any(not part.reached(None) for part in found):
                    click.echo(f"done again up to block {asked.until}; the replay goes on behind it", err=True)
                break
            if silent and now - began > SILENT_SECONDS and all(part.phase == "REQUESTED" for part in found):
                silent = False
                click.echo(f"no worker has begun; is one running with --agents {agent}?", err=True)
            await asyncio.sleep(LOOK_SECONDS)
    refused = [part for part in found if part.phase == "REFUSED"]
    for part in refused:
        click.echo(f"{agent}/{part.partition}: refused: {part.reason}", err=True)
    if refused:
        raise Exit(1)


def _print_progress(agent: str, asked: str, found: Sequence[Progress], left: float | None, *, as_json: bool) -> None:
    if as_json:
        said = {"agent": agent, "id": asked, "seconds_left": None if left is None else round(left, 1)}
        click.echo(json.dumps(said | {"partitions": [part.as_json() for part in found]}))
        return
    done = sum(part.done for part in found) / len(found)
    undone, redone, total = (sum(getattr(part, name) for part in found) for name in ("undone", "redone", "total"))
    records, all_records = (sum(getattr(part, name) for part in found) for name in ("records", "records_total"))
    tail = "" if left is None else f", about {left:.0f} s left"
    console.print(
        f"{agent}: {done:4.0%}  {undone} of {total} blocks taken back, {redone} done again; "
        f"{records} of {all_records} records{tail}"
    )
