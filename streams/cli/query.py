"""``monmouth query`` and ``root``: questions to the gateway from the command line."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.answers import show_context
from streams.cli.asking import gateway_client, gateway_option, json_option, moment_options, print_json
from streams.cli.options import max_results_option, max_tokens_option, min_similarity_option, render_option
from streams.cli.window import FORMS, WindowType
from streams.settings import Settings


@click.command()
@click.argument("agent")
@click.argument("text", required=False)
@max_results_option
@min_similarity_option
@max_tokens_option
@click.option("--window", type=WindowType(), help=f"Which memories: {FORMS}.")
@click.option("--size", type=click.IntRange(1, 1_000), help="Most memories of the window (default: 50).")
@click.option("--cursor", help="Walk on: what the answer before gave as next.")
@click.option("--order", type=click.Choice(["score", "time", "edges"]), help="edges: the best first and last.")
@render_option
@click.option("--truncate", is_flag=True, help="Cut one memory that is too long for the rest of the budget.")
@click.option("--proofs", is_flag=True, help="Have every item proven, and check the proofs.")
@click.option("--root", "trusted", metavar="HEX", help="With --proofs: the root you trust; the proofs must be for it.")
@moment_options
@click.option("--wait-for", metavar="TOKEN", help="write_token of a receipt: answer when its effect shows.")
@click.option("--wait-for-block", metavar="N|HASH", help="Answer when that block is taken in.")
@click.option("--wait", type=click.FloatRange(0, 30), help="Seconds to wait for these at most (default: 5).")
@gateway_option
@json_option
@click.pass_obj
def query(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    /,
    agent: str,
    text: str | None,
    max_results: int,
    window: dict[str, Any] | None,
    size: int | None,
    truncate: bool,
    proofs: bool,
    trusted: str | None,
    include_invalid: bool,
    url: str | None,
    as_json: bool,
    **more: Any,
) -> None:
    """Ask for AGENT's memories in words, or read a window of them.

    \b
    Examples:
      monmouth query 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 "what did I swap last?"
      monmouth query 0x7099... "who paid me" -n 3 --json
      monmouth query 0x7099... --window temporal:86400 --render cited --max-tokens 4000
      monmouth query 0x7099... "where does it live" --as-of-time 2026-01-31T12:00:00Z
      monmouth query 0x7099... "balance of the treasury" --as-of-block 1200
    """
    if size is not None and window is None:
        raise click.UsageError("--size is the size of a --window")
    if trusted is not None and not proofs:
        raise click.UsageError("--root is for --proofs")
    if include_invalid:
        more["include_invalid"] = True
    with gateway_client(settings, url) as client:
        context = client.query_context(
            agent,
            text,
            max_results,
            window=window if size is None or window is None else {**window, "size": size},
            truncate=truncate or None,
            proofs=proofs or None,
            root=trusted,
            **more,
        )
    if as_json:
        print_json(context)
        return
    show_context(context)


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
        print_json(found)
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
