"""``monmouth memory``: an agent's memories from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal, cast

import click

from schemas.records import MEMORY_TYPES, MemoryType
from streams.cli.answers import show_memories, show_memory, show_receipt
from streams.cli.asking import TimeType, gateway_client, gateway_option, json_option, moment_options, print_json, wait_option
from streams.cli.corrections import invalidate, link, merge, supersede
from streams.cli.options import limit_option, store_options
from streams.errors import ConfigurationError
from streams.serving.wire import CONTENT_LIMIT
from streams.settings import Settings


@click.group()
def memory() -> None:
    """Store, list, read, correct and forget memories of an agent.

    \b
    Examples:
      monmouth memory store 0x7099... "prefers ETH over DAI" --tag taste --importance 0.9
      monmouth memory list 0x7099... --tag taste
      monmouth memory list 0x7099... --as-of-block 1200
      monmouth memory supersede 0x7099... 0x5ca1... --text "prefers DAI over ETH"
      monmouth memory forget 0x7099... 0x5ca1...
    """


for correction in (supersede, merge, invalidate, link):
    memory.add_command(correction)


@memory.command()
@click.argument("agent")
@click.argument("text", required=False)
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), help="Store the bytes of a file instead; - is stdin.")
@click.option("--media-type", help="What the content is (default: text/plain; with --file application/octet-stream).")
@store_options("LONG_TERM")
@gateway_option
@json_option
@click.pass_obj
def store(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    /,
    agent: str,
    text: str | None,
    file: Path | None,
    url: str | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Keep TEXT, or a file, as a memory of AGENT.

    \b
    Examples:
      monmouth memory store 0x7099... "prefers ETH over DAI" --tag taste --importance 0.9
      monmouth memory store 0x7099... --file report.json --media-type application/json
    """
    if (text is None) == (file is None):
        raise click.UsageError("give TEXT or --file, one of them")
    data: str | bytes = text if text is not None else _read(cast("Path", file))
    with gateway_client(settings, url) as client:
        receipt = client.store(agent, data, **said)
    show_receipt(receipt, "stored", as_json)


@memory.command("list")
@click.argument("agent")
@click.option(
    "--type",
    "kinds",
    multiple=True,
    type=click.Choice(MEMORY_TYPES, case_sensitive=False),
    help="Only these; repeat for several.",
)
@click.option("--tag", "tags", multiple=True, help="Repeat for several.")
@click.option(
    "--min-importance", default=0.0, show_default=True, type=click.FloatRange(0, 1), help="Only those at least as important."
)
@click.option("--since", metavar="TIME", type=TimeType(), help="From then on, inclusive.")
@click.option("--until", metavar="TIME", type=TimeType(), help="Up to then, inclusive.")
@click.option("--max-age", type=click.IntRange(min=0), help="Seconds back from now.")
@limit_option
@click.option("--order", default="newest", show_default=True, type=click.Choice(["newest", "oldest"]), help="Which come first.")
@moment_options
@gateway_option
@json_option
@click.pass_obj
def list_memories(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    /,
    agent: str,
    kinds: tuple[str, ...],
    tags: tuple[str, ...],
    min_importance: float,
    since: int | None,
    until: int | None,
    max_age: int | None,
    limit: int,
    order: Literal["newest", "oldest"],
    url: str | None,
    as_json: bool,
    **moment: Any,
) -> None:
    """Memories of AGENT.

    \b
    Examples:
      monmouth memory list 0x7099... --tag taste --min-importance 0.5
      monmouth memory list 0x7099... --as-of-block 1200
      monmouth memory list 0x7099... --valid-at 2026-01-31 --include-invalid
    """
    with gateway_client(settings, url) as client:
        found = client.retrieve(
            agent,
            types=[cast("MemoryType", kind.upper()) for kind in kinds],
            tags=tags,
            min_importance=min_importance,
            since=since,
            until=until,
            max_age=max_age,
            limit=limit,
            order=order,
            **moment,
        )
    if as_json:
        print_json(found)
        return
    show_memories(found)


@memory.command("get")
@click.argument("agent")
@click.argument("memory_id")
@moment_options
@gateway_option
@json_option
@click.pass_obj
def get_memory(
    settings: Settings,
    /,
    agent: str,
    memory_id: str,
    url: str | None,
    as_json: bool,
    **moment: Any,
) -> None:
    """One memory of AGENT.

    \b
    Examples:
      monmouth memory get 0x7099... 0x5ca1...
      monmouth memory get 0x7099... 0x5ca1... --as-of-time 1767225600
    """
    with gateway_client(settings, url) as client:
        found = client.get(agent, memory_id, **moment)
    if as_json:
        print_json(found)
        return
    show_memory(found)


@memory.command()
@click.argument("agent")
@click.argument("memory_id")
@wait_option
@gateway_option
@json_option
@click.pass_obj
def forget(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, agent: str, memory_id: str, wait: float, url: str | None, as_json: bool
) -> None:
    """Forget a memory of AGENT.

    \b
    Example:
      monmouth memory forget 0x7099... 0x5ca1...
    """
    with gateway_client(settings, url) as client:
        receipt = client.forget(agent, memory_id, wait=wait)
    show_receipt(receipt, "forgotten", as_json, meanwhile="reads may still show it")


@memory.command("proof")
@click.argument("agent")
@click.argument("memory_id")
@click.option("--root", "trusted", metavar="HEX", help="The root you trust; the proof must be for it.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the proof here, for `monmouth proof verify`."
)
@gateway_option
@json_option
@click.pass_obj
def get_proof(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, agent: str, memory_id: str, trusted: str | None, output: Path | None, url: str | None, as_json: bool
) -> None:
    """Prove that a memory is, or is not, under AGENT's published root; checked here before it is shown.

    \b
    Examples:
      monmouth memory proof 0x7099... 0x5ca1... -o proof.json
      monmouth memory proof 0x7099... 0x5ca1... --root 0x3f9a...
    """
    with gateway_client(settings, url) as client:
        answer = client.proof(agent, memory_id, root=trusted)
        if answer.present:
            client.proof(agent, memory_id, memory=client.get(agent, memory_id, include_invalid=True), root=trusted)
    if output is not None:
        try:
            output.write_text(json.dumps(answer.proof, indent=2) + "\n")
        except OSError as error:
            raise ConfigurationError(f"cannot write {output}: {error.strerror}") from None
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{'present' if answer.present else 'absent'} under root {answer.root.merkle_root}; the proof holds")


def _read(file: Path) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(CONTENT_LIMIT + 1)
        with file.open("rb") as stream:
            return stream.read(CONTENT_LIMIT + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
