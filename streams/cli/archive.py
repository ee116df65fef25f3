"""``monmouth archive``: copies of the log in files, to rebuild from when the log has lost its beginning."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from rich.console import Console

from streams.ports.log import TopicPartition
from streams.settings import Settings
from streams.upkeep.archive import KEPT, Archive, Writer, to_write
from streams.upkeep.pipeline import open_pipeline

console = Console(soft_wrap=True, highlight=False)
folder_argument = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group()
def archive() -> None:
    """Copy the log to files, and check such copies.

    \b
    Examples:
      monmouth archive write /backup/monmouth           again later: only what is new
      monmouth archive check /backup/monmouth
    """


@archive.command("write")
@folder_argument
@click.pass_obj
def write_command(settings: Settings, folder: Path) -> None:
    """Copy what stream agents read to FOLDER: the topics they fold, as they lie in the log. Goes on where FOLDER ends.

    \b
    Example:
      monmouth archive write /backup/monmouth
    """
    asyncio.run(_write(settings, folder))


async def _write(settings: Settings, folder: Path) -> None:
    pipeline = open_pipeline(settings)
    found = to_write(folder, pipeline.verifier, settings.kafka.prefix)
    writer, reader = Writer(found, pipeline.signer), pipeline.client.reader()
    try:
        for topic in KEPT:
            added = [await writer.add(reader, TopicPartition(topic, number)) for number in range(settings.kafka.partitions)]
            console.print(f"{topic}: {sum(added)} records added")
    finally:
        await reader.close()


@archive.command("check")
@folder_argument
@click.pass_obj
def check_command(settings: Settings, folder: Path) -> None:
    """Read all of FOLDER, and say whether it is what was written: every file, and the signed manifest.

    \b
    Example:
      monmouth archive check /backup/monmouth
    """
    pipeline = open_pipeline(settings)
    found = Archive.open(folder, pipeline.verifier, settings.kafka.prefix)
    console.print(f"{folder}: {found.check()} records in {len(found.pieces)} files; nothing was altered")
