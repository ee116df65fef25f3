"""``monmouth dlq``: dead letters, the records that could not be processed: what they are, and what becomes of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from streams.errors import ConfigurationError
from streams.ports.log import LogClient, LogReader
from streams.runtime.kafka.client import KafkaClient
from streams.runtime.letters import Letter, close, open_letters, refusal, resend, whole_record
from streams.settings import KafkaSettings, Settings

SHOWN_BYTES = 256
SUMMARY = ("topic", "partition", "offset", "stream_agent", "error", "reason", "attempts", "size")
Command = Callable[..., Any]


@click.group()
def dlq() -> None:
    """Dead letters: records that could not be processed, and were left out so that the rest goes on.

    A letter stays open until its record is sent again or it is dropped. ID is what `dlq list` shows: topic/partition/offset.

    \b
    Examples:
      monmouth dlq list
      monmouth dlq show monmouth.memory.commands/2/1041
      monmouth dlq replay monmouth.memory.commands/2/1041
      monmouth dlq drop --all --topic monmouth.memory.commands
    """


def _chosen(command: Command) -> Command:
    command = click.option("--topic", help="Only of this source topic, as on the broker.")(command)
    command = click.option("--stream-agent", help="Only what this stream agent gave up on.")(command)
    command = click.option("--all", "everything", is_flag=True, help="All open letters that the options choose.")(command)
    return click.argument("ids", nargs=-1, metavar="[ID]...")(command)


@dlq.command("list")
@click.option("--topic", help="Only of this source topic, as on the broker.")
@click.option("--stream-agent", help="Only what this stream agent gave up on.")
@click.option("-n", "--limit", default=100, show_default=True, type=click.IntRange(min=1), help="Show so many, newest last.")
@click.option("--json", "as_json", is_flag=True, help="Print each letter as one line of JSON.")
@click.pass_obj
def list_(settings: Settings, topic: str | None, stream_agent: str | None, limit: int, as_json: bool) -> None:
    """Show open letters.

    \b
    Examples:
      monmouth dlq list
      monmouth dlq list --stream-agent memory --json
    """
    found = _matching(asyncio.run(_read(settings.kafka)), topic, stream_agent)
    shown = found[-limit:]
    if as_json:
        for letter in shown:
            click.echo(json.dumps(_summary(letter)))
        return
    table = Table("id", "stream agent", "error", "reason", box=None)
    for letter in shown:
        table.add_row(letter.id, letter.record["stream_agent"], letter.record["error"], letter.record["reason"])
    if shown:
        Console().print(table, soft_wrap=True)
    more = f", the newest {len(shown)} of them shown" if len(shown) < len(found) else ""
    click.echo(f"{len(found)} open letters{more}")


@dlq.command()
@click.argument("id_", metavar="ID")
@click.option(
    "--raw", type=click.Path(path_type=Path, dir_okay=False), help="Write the record's value, as it was, to this file."
)
@click.pass_obj
def show(settings: Settings, id_: str, raw: Path | None) -> None:
    """Show one letter: cause, origin, and whether its record can be sent again.

    \b
    Example:
      monmouth dlq show monmouth.memory.commands/2/1041 --raw value.bin
    """

    async def find() -> tuple[Letter, bytes]:
        async with _log(settings.kafka) as (_, reader):
            (letter,) = _named(await open_letters(reader), [id_])
            return letter, (await whole_record(reader, letter, settings.kafka.prefix))[1] or b"" if raw else b""

    letter, value = asyncio.run(find())
    if raw is not None:
        try:
            raw.write_bytes(value)
        except OSError as error:
            raise ConfigurationError(f"cannot write {raw}: {error.strerror}") from None
    head = (letter.record["value"] or b"")[:SHOWN_BYTES]
    rows = {
        **_summary(letter),
        "key": letter.record["key"].hex() if letter.record["key"] is not None else None,
        "value": head.hex() + ("..." if letter.record["size"] > len(head) else ""),
        "replay": refusal(letter, settings.kafka.prefix) or "possible",
    }
    for name, said in rows.items():
        click.echo(f"{name:<14}{said}")


@dlq.command()
@_chosen
@click.pass_obj
def replay(settings: Settings, ids: tuple[str, ...], everything: bool, topic: str | None, stream_agent: str | None) -> None:
    """Send records once more to where they came from, once the cause was mended, and close their letters.

    A record that is refused again becomes a new letter.

    \b
    Examples:
      monmouth dlq replay monmouth.memory.commands/2/1041
      monmouth dlq replay --all --stream-agent memory
    """

    async def run() -> int:
        async with _log(settings.kafka) as (client, reader):
            letters = _picked(await open_letters(reader), ids, everything, topic, stream_agent)
            await resend(client, reader, letters, settings.kafka.prefix)
            return len(letters)

    click.echo(f"{asyncio.run(run())} records sent again")


@dlq.command()
@_chosen
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def drop(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, ids: tuple[str, ...], everything: bool, topic: str | None, stream_agent: str | None, yes: bool
) -> None:
    """Close letters without sending anything: their records stay left out, and the topic keeps what it holds.

    \b
    Examples:
      monmouth dlq drop monmouth.memory.commands/2/1041
      monmouth dlq drop --all --topic monmouth.memory.commands --yes
    """
    letters = _picked(asyncio.run(_read(settings.kafka)), ids, everything, topic, stream_agent)
    if letters and not yes:
        click.confirm(f"Close {len(letters)} letters?", abort=True)

    async def run() -> None:
        async with _log(settings.kafka) as (client, _):
            await close(client, letters)

    asyncio.run(run())
    click.echo(f"{len(letters)} letters closed")


def _summary(letter: Letter) -> dict[str, object]:
    record = letter.record
    said = {
        name: record[name] for name in ("topic", "partition", "offset", "stream_agent", "error", "reason", "attempts", "size")
    }
    return {"id": letter.id, **said}


def _matching(letters: Sequence[Letter], topic: str | None, stream_agent: str | None) -> list[Letter]:
    return [
        letter
        for letter in letters
        if topic in {None, letter.record["topic"]} and stream_agent in {None, letter.record["stream_agent"]}
    ]


def _picked(
    letters: Sequence[Letter], ids: Sequence[str], everything: bool, topic: str | None, stream_agent: str | None
) -> list[Letter]:
    if bool(ids) == everything:
        raise click.UsageError("name letters by ID, or say --all")
    return _matching(letters if everything else _named(letters, ids), topic, stream_agent)


def _named(letters: Sequence[Letter], ids: Sequence[str]) -> list[Letter]:
    known = {letter.id: letter for letter in letters}
    if unknown := [id_ for id_ in ids if id_ not in known]:
        raise ConfigurationError(f"no open letter {unknown[0]}", "`monmouth dlq list` shows them.")
    return [known[id_] for id_ in dict.fromkeys(ids)]


async def _read(kafka: KafkaSettings) -> list[Letter]:
    async with _log(kafka) as (_, reader):
        return await open_letters(reader)


@asynccontextmanager
async def _log(kafka: KafkaSettings) -> AsyncIterator[tuple[LogClient, LogReader]]:
    client = open_client(kafka)
    reader = client.reader()
    try:
        yield client, reader
    finally:
        await reader.close()


def open_client(kafka: KafkaSettings) -> LogClient:
    """The log that the settings name."""
    return KafkaClient(kafka)
