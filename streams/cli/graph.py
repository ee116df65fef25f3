"""``monmouth graph``: questions about the knowledge graph, to the gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from streams.cli.asking import TimeType, gateway_client, gateway_option, json_option, print_json, when
from streams.serving.graph.client import Graph
from streams.serving.wire import Answer
from streams.settings import Settings

A = TypeVar("A", bound=Answer)
F = TypeVar("F", bound=Callable[..., Any])


def as_of_options(command: F) -> F:
    """The moment of a question, ``as_of_block`` and ``as_of_time``."""
    for option in (
        click.option("--as-of-time", metavar="TIME", type=TimeType(), help="As it was at this time of blocks."),
        click.option(
            "--as-of-block", "--as-of", "as_of_block", metavar="N", type=click.IntRange(min=0), help="As it was at this height."
        ),
    ):
        command = option(command)
    return command


limit_option = click.option(
    "-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 200), help="Most nodes to show."
)


@click.group()
def graph() -> None:
    """Ask who deals with whom, how well, and whom to trust.

    \b
    Examples:
      monmouth graph neighbours 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 --depth 2
      monmouth graph profile 0x7099... --json
      monmouth graph path 0x7099... 0x3c44... --as-of-block 1200
      monmouth graph top --seed 0x7099...            trust as it spreads from there
    """


def _ask(settings: Settings, url: str | None, question: Callable[[Graph], A]) -> A:
    with gateway_client(settings, url) as client:
        return question(client.graph)


def _print(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@graph.command()
@click.argument("node")
@click.option(
    "--depth", default=1, show_default=True, type=click.IntRange(1, 3), help="Most edges between NODE and a node shown."
)
@limit_option
@as_of_options
@gateway_option
@json_option
@click.pass_obj
def neighbours(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    /,
    node: str,
    depth: int,
    limit: int,
    url: str | None,
    as_json: bool,
    **moment: Any,
) -> None:
    """List the nodes around NODE, nearest and strongest first.

    \b
    Example:
      monmouth graph neighbours 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 --depth 2 -n 50
    """
    found = _ask(
        settings,
        url,
        lambda graph: graph.neighbours(node, depth=depth, limit=limit, **moment),
    )
    if as_json:
        print_json(found)
        return
    _print(
        ("node", "kind", "steps", "through", "weight"),
        ((one.node, one.kind, str(one.depth), one.through, f"{one.weight:.3f}") for one in found.items),
    )


@graph.command()
@click.argument("node")
@click.argument("other")
@as_of_options
@gateway_option
@json_option
@click.pass_obj
def path(settings: Settings, /, node: str, other: str, url: str | None, as_json: bool, **moment: Any) -> None:
    """Show the strongest way from NODE to OTHER, and what OTHER is to NODE.

    \b
    Example:
      monmouth graph path 0x7099... 0x3c44... --as-of-block 1200
    """
    found = _ask(settings, url, lambda graph: graph.path(node, other, **moment))
    if as_json:
        print_json(found)
        return
    click.echo("\n".join(found.nodes) or "no way from one to the other")
    if found.relationship:
        click.echo(f"the other is a {found.relationship.lower()}")


@graph.command()
@click.argument("agent")
@as_of_options
@gateway_option
@json_option
@click.pass_obj
def profile(settings: Settings, /, agent: str, url: str | None, as_json: bool, **moment: Any) -> None:
    """Show AGENT's reputation, counts and identities.

    \b
    Example:
      monmouth graph profile 0x7099... --json
    """
    found = _ask(settings, url, lambda graph: graph.profile(agent, **moment))
    if as_json:
        print_json(found)
        return
    click.echo(f"reputation {found.reputation:.3f}, {found.specialisation}")
    click.echo(
        f"{found.transactions} transactions, {found.failures} failed, {when(found.first_seen)} to {when(found.last_seen)}"
    )
    for one in found.identities:
        rated = "no feedback" if one.feedback.mean is None else f"mean {one.feedback.mean:g} of {one.feedback.count}"
        able = ", ".join(one.capabilities) or "no capabilities"
        click.echo(f"identity {one.agent_id} of {one.registry}: {one.uri}, {rated}, {able}")


@graph.command()
@click.option("--seed", "seeds", multiple=True, help="An address to trust; repeat it. Without: PageRank.")
@limit_option
@as_of_options
@gateway_option
@json_option
@click.pass_obj
def top(
    settings: Settings,
    /,
    seeds: tuple[str, ...],
    limit: int,
    url: str | None,
    as_json: bool,
    **moment: Any,
) -> None:
    """List the nodes that rank highest, by trust from seeds or by PageRank.

    \b
    Examples:
      monmouth graph top
      monmouth graph top --seed 0x7099... --seed 0x3c44...
    """
    found = _ask(settings, url, lambda graph: graph.top(seeds=seeds, limit=limit, **moment))
    if as_json:
        print_json(found)
        return
    rows = ((one.node, one.kind, f"{one.rank:.4f}", f"{one.influence:.3f}") for one in found.items)
    _print(("node", "kind", found.by, "influence"), rows)
