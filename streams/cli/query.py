"""``monmouth query``, ``memory`` and ``root``: the gateway's API from the command line."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.records import MEMORY_TYPES, MemoryType
from streams.errors import ConfigurationError
from streams.identity.operator import token_for
from streams.serving.client import Client
from streams.serving.wire import CONTENT_LIMIT, Answer, Citation, MemoryView
from streams.settings import Settings

URL_VARIABLE = "MONMOUTH_GATEWAY_URL"
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (read, not bound to)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
gateway_option = click.option(
    "--gateway", "--url", "url", metavar="URL", help=f"The gateway (default: {URL_VARIABLE}, or gateway.host:port)."
)
wait_option = click.option("--wait", default=10.0, show_default=True, help="Seconds to wait until reads show the effect.")


def gateway_client(settings: Settings, url: str | None) -> Client:
    """A client of the gateway at ``url``, or of the one that the environment or the settings name."""
    gateway = settings.gateway
    host = ANYWHERE.get(gateway.host, gateway.host)
    default = f"http://[{host}]:{gateway.port}" if ":" in host else f"http://{host}:{gateway.port}"
    address = url or os.environ.get(URL_VARIABLE) or default
    return Client(address, token=token_for(settings, address))


def _print_json(answer: Answer) -> None:
    click.echo(json.dumps(answer.model_dump(), ensure_ascii=False, indent=2))


def _source(citation: Citation) -> str:
    if citation.block is None or citation.transaction is None:
        return f"command, memory {citation.memory_id}"
    return f"block {citation.block.number}, transaction {citation.transaction}, memory {citation.memory_id}"


def _when(timestamp: int) -> str:
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(timestamp)


@click.command()
@click.argument("agent")
@click.argument("text")
@click.option("-n", "--max-results", default=5, show_default=True, type=click.IntRange(1, 100))
@click.option("--min-similarity", type=click.FloatRange(-1, 1), help="Least cosine (default: the gateway's setting).")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Bound on the tokens of all texts.")
@gateway_option
@json_option
@click.pass_obj
def query(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    text: str,
    max_results: int,
    min_similarity: float | None,
    max_tokens: int | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Ask for AGENT's memories in words.

    \b
    Examples:
      monmouth query 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 "what did I swap last?"
      monmouth query 0x7099... "who paid me" -n 3 --json
    """
    with gateway_client(settings, url) as client:
        context = client.query_context(agent, text, max_results, min_similarity=min_similarity, max_tokens=max_tokens)
    if as_json:
        _print_json(context)
        return
    console = Console()
    if not context.items:
        console.print("nothing found")
    for place, item in enumerate(context.items, 1):
        console.print(Text.assemble((f"{place}. {item.score:.3f}  ", "bold"), item.text))
        console.print(Text(f"   {_when(item.timestamp)}  {_source(item.citation)}", "dim"))
    if context.left_out:
        console.print(Text(f"{context.left_out} more went over the token budget", "dim"))


@click.group()
def memory() -> None:
    """Store, list, read and forget memories of an agent.

    \b
    Examples:
      monmouth memory store 0x7099... "prefers ETH over DAI" --tag taste --importance 0.9
      monmouth memory list 0x7099... --tag taste
      monmouth memory forget 0x7099... 0x5ca1...
    """


@memory.command()
@click.argument("agent")
@click.argument("text", required=False)
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), help="Store the bytes of a file instead; - is stdin.")
@click.option("--media-type", help="What the content is (default: text/plain; with --file application/octet-stream).")
@click.option("--type", "kind", default="LONG_TERM", show_default=True, type=click.Choice(MEMORY_TYPES, case_sensitive=False))
@click.option("--importance", default=0.5, show_default=True, type=click.FloatRange(0, 1))
@click.option("--tag", "tags", multiple=True, help="A label; repeat for several.")
@click.option("--command-id", help="UUID; repeat it to be sure that a retry stores nothing twice.")
@wait_option
@gateway_option
@json_option
@click.pass_obj
def store(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    text: str | None,
    file: Path | None,
    media_type: str | None,
    kind: str,
    importance: float,
    tags: tuple[str, ...],
    command_id: str | None,
    wait: float,
    url: str | None,
    as_json: bool,
) -> None:
    """Keep TEXT, or a file, as a memory of AGENT."""
    if (text is None) == (file is None):
        raise click.UsageError("give TEXT or --file, one of them")
    data: str | bytes = text if text is not None else _read(cast("Path", file))
    with gateway_client(settings, url) as client:
        receipt = client.store(
            agent,
            data,
            type=cast("MemoryType", kind.upper()),
            importance=importance,
            tags=tags,
            media_type=media_type,
            command_id=command_id,
            wait=wait,
        )
    if as_json:
        _print_json(receipt)
    else:
        click.echo(f"{receipt.memory_id}  {'stored' if receipt.visible else 'accepted; reads do not show it yet'}")


@memory.command("list")
@click.argument("agent")
@click.option(
    "--type", "kinds", multiple=True, type=click.Choice(MEMORY_TYPES, case_sensitive=False), help="Repeat for several."
)
@click.option("--tag", "tags", multiple=True, help="Repeat for several.")
@click.option("--min-importance", default=0.0, type=click.FloatRange(0, 1))
@click.option("--since", type=int, help="Unix seconds, inclusive.")
@click.option("--until", type=int, help="Unix seconds, inclusive.")
@click.option("--max-age", type=click.IntRange(min=0), help="Seconds back from now.")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 1_000))
@gateway_option
@json_option
@click.pass_obj
def list_memories(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    kinds: tuple[str, ...],
    tags: tuple[str, ...],
    min_importance: float,
    since: int | None,
    until: int | None,
    max_age: int | None,
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """Memories of AGENT, newest first."""
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
        )
    if as_json:
        _print_json(found)
        return
    table = Table("when", "type", "content", "id", box=None, pad_edge=False)
    for item in found.items:
        table.add_row(_when(item.timestamp), item.type, Text(_content(item)), Text(item.id, "dim", overflow="fold"))
    Console().print(table if found.items else "no memories")


@memory.command("get")
@click.argument("agent")
@click.argument("memory_id")
@gateway_option
@json_option
@click.pass_obj
def get_memory(settings: Settings, agent: str, memory_id: str, url: str | None, as_json: bool) -> None:
    """One memory of AGENT."""
    with gateway_client(settings, url) as client:
        found = client.get(agent, memory_id)
    if as_json:
        _print_json(found)
        return
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("content", _content(found)),
        ("type", found.type),
        ("importance", f"{found.importance:g}"),
        ("tags", ", ".join(found.tags)),
        ("when", _when(found.timestamp)),
        ("source", _source(found.citation)),
    ):
        table.add_row(Text(name, "bold"), Text(value, overflow="fold"))
    Console().print(table)


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
    """Forget a memory of AGENT."""
    with gateway_client(settings, url) as client:
        receipt = client.forget(agent, memory_id, wait=wait)
    if as_json:
        _print_json(receipt)
    else:
        click.echo(f"{receipt.memory_id}  {'forgotten' if receipt.visible else 'accepted; reads may still show it'}")


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
    """Prove that a memory is, or is not, under AGENT's published root; checked here before it is shown."""
    with gateway_client(settings, url) as client:
        answer = client.proof(agent, memory_id, root=trusted)
        if answer.present:
            client.proof(agent, memory_id, memory=client.get(agent, memory_id), root=trusted)
    if output is not None:
        try:
            output.write_text(json.dumps(answer.proof, indent=2) + "\n")
        except OSError as error:
            raise ConfigurationError(f"cannot write {output}: {error.strerror}") from None
    if as_json:
        _print_json(answer)
    else:
        click.echo(f"{'present' if answer.present else 'absent'} under root {answer.root.merkle_root}; the proof holds")


@click.command()
@click.argument("agent")
@gateway_option
@json_option
@click.pass_obj
def root(settings: Settings, agent: str, url: str | None, as_json: bool) -> None:
    """Show AGENT's published lattice checksum and Merkle root.

    \b
    Example:
      monmouth root 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
    """
    with gateway_client(settings, url) as client:
        found = client.root(agent)
    if as_json:
        _print_json(found)
        return
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("memories", f"{found.count}"),
        ("merkle root", found.merkle_root),
        ("checksum", found.checksum),
        ("block", f"{found.block.number} {found.block.hash}" if found.block else "-"),
    ):
        table.add_row(Text(name, "bold"), Text(value, overflow="fold"))
    Console().print(table)


def _content(found: MemoryView) -> str:
    return found.text if found.text is not None else f"{found.media_type}, base64 {found.content_base64}"


def _read(file: Path) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(CONTENT_LIMIT + 1)
        with file.open("rb") as stream:
            return stream.read(CONTENT_LIMIT + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
