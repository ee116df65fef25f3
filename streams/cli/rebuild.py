"""``monmouth rebuild``: local state and stores of a stopped stream agent, built anew from the log or an archive."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
from click.exceptions import Exit
from rich.console import Console

from streams.errors import ConfigurationError
from streams.settings import Settings
from streams.upkeep.archive import Archive, ArchivedClient
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.rebuild import Rebuilt, rebuild

console = Console(soft_wrap=True, highlight=False)


@click.command("rebuild")
@click.option("--agent", required=True, metavar="NAME", help="The stream agent.")
@click.option("--partition", type=click.IntRange(min=0), metavar="P", help="This partition alone.")
@click.option("--archive", type=click.Path(path_type=Path, file_okay=False), help="Where the log has lost its beginning.")
@click.option("--stores", is_flag=True, help="Also start its embedded store anew; the old one is moved aside.")
@click.pass_obj
def rebuild_command(settings: Settings, agent: str, partition: int | None, archive: Path | None, stores: bool) -> None:
    """Build a stream agent's local state, and what its store holds, anew from the beginning of the log. Stop its workers first.

    Ends where its committed position is. Exit code 1 if the state is not the one that was committed.

    \b
    Examples:
      monmouth rebuild --agent lattice
      monmouth rebuild --agent memory --stores
      monmouth rebuild --agent memory --archive /backup/monmouth
    """
    if partition is not None and partition >= settings.kafka.partitions:
        raise click.UsageError(f"there are {settings.kafka.partitions} partitions, from 0")
    if stores and partition is not None:
        raise click.UsageError("a store holds all partitions: --stores goes without --partition")
    numbers = range(settings.kafka.partitions) if partition is None else [partition]
    found = asyncio.run(_rebuild(settings, agent, numbers, archive, stores=stores))
    for each in found:
        said = {True: "as committed", False: "NOT the one that was committed", None: "nothing to compare it with"}
        at = f"block {each.block}" if each.block is not None else "no block"
        console.print(f"{agent}/{each.partition}: built up to {at}; state: {said[each.agrees]}")
    if any(each.agrees is False for each in found):
        raise Exit(1)


async def _rebuild(
    settings: Settings, agent: str, numbers: Sequence[int], folder: Path | None, *, stores: bool
) -> list[Rebuilt]:
    from streams.cli.wiring import agent_factories  # noqa: PLC0415  (keeps --help quick)
    from streams.runtime.kafka.offsets import committed_offsets  # noqa: PLC0415

    pipeline = open_pipeline(settings)
    job = replace(pipeline.job(agent), client=pipeline.owner(agent))
    if folder is not None:
        found = Archive.open(folder, pipeline.verifier, settings.kafka.prefix)
        job = replace(job, client=ArchivedClient(found, job.client))
    if stores:
        _move_aside(settings, agent)
    async with AsyncExitStack() as stack:
        (factory,) = agent_factories(settings, [agent], stack)
        job = replace(job, factory=factory)
        return [await rebuild(job, partial(committed_offsets, settings.kafka.as_role(agent)), number) for number in numbers]


def _move_aside(settings: Settings, agent: str) -> None:
    from connectors.stores import VECTORS  # noqa: PLC0415

    embedded = {} if settings.cassandra.contact_points else {"memory": settings.memory.db_path}
    embedded |= {} if settings.rag.vector_store_url else {"embedding": VECTORS}
    if agent not in embedded:
        raise ConfigurationError(
            f"{agent} has no embedded store", "An outside one is emptied with its own tools, then: monmouth rebuild."
        )
    store = settings.path(embedded[agent])
    if not store.exists():
        return
    aside = next(path for n in range(1_000) if not (path := store.with_name(f"{store.name}.old{n or ''}")).exists())
    store.rename(aside)
    console.print(f"the old store is {aside}")
