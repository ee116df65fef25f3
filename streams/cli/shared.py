"""``monmouth shared``: what other agents let one read, from the command line."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.text import Text

from streams.cli.answers import show_item, show_memories, show_memory
from streams.cli.asking import gateway_client, gateway_option, json_option, moment_options, print_json
from streams.cli.options import limit_option, max_results_option, max_tokens_option, min_similarity_option
from streams.settings import Settings


@click.group()
def shared() -> None:
    """Ask for and read what other agents have granted AGENT; `monmouth agent grant` grants.

    \b
    Examples:
      monmouth shared query 0x3c44... "what does the team plan?"
      monmouth shared list 0x3c44... 0x7099... --tag team
    """


@shared.command("query")
@click.argument("agent")
@click.argument("text")
@click.option("--owner", "owners", multiple=True, metavar="ADDRESS", help="Ask of these, besides AGENT (default: all).")
@max_results_option
@min_similarity_option
@max_tokens_option
@moment_options
@gateway_option
@json_option
@click.pass_obj
def query(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    /,
    agent: str,
    text: str,
    owners: tuple[str, ...],
    max_results: int,
    min_similarity: float | None,
    max_tokens: int | None,
    url: str | None,
    as_json: bool,
    **moment: Any,
) -> None:
    """Ask in words for memories of AGENT and of those that let it read; each is shown with its owner.

    \b
    Examples:
      monmouth shared query 0x3c44... "what does the team plan?"
      monmouth shared query 0x3c44... "who paid us" --owner 0x7099... --owner 0x90f7... --json
    """
    with gateway_client(settings, url) as client:
        found = client.query_shared(
            agent, text, owners or None, max_results, min_similarity=min_similarity, max_tokens=max_tokens, **moment
        )
    if as_json:
        print_json(found)
        return
    console = Console()
    if not found.items:
        console.print("nothing found")
    for place, item in enumerate(found.items, 1):
        show_item(console, place, item, f"{item.owner}  ")
    if found.left_out:
        console.print(Text(f"{found.left_out} more went over the token budget", "dim"))
    if found.unsearched:
        console.print(Text(f"could not be searched: {', '.join(found.unsearched)}", "dim"))


@shared.command("list")
@click.argument("agent")
@click.argument("owner")
@click.option("--tag", "tags", multiple=True, help="Repeat for several.")
@limit_option
@moment_options
@gateway_option
@json_option
@click.pass_obj
def list_shared(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    /,
    agent: str,
    owner: str,
    tags: tuple[str, ...],
    limit: int,
    url: str | None,
    as_json: bool,
    **moment: Any,
) -> None:
    """Memories of OWNER that AGENT may read, newest first.

    \b
    Example:
      monmouth shared list 0x3c44... 0x7099... --tag team --as-of-block 1200
    """
    with gateway_client(settings, url) as client:
        found = client.shared_memories(agent, owner, tags=tags, limit=limit, **moment)
    if as_json:
        print_json(found)
    else:
        show_memories(found)


@shared.command("get")
@click.argument("agent")
@click.argument("owner")
@click.argument("memory_id")
@moment_options
@gateway_option
@json_option
@click.pass_obj
def get_shared(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, /, agent: str, owner: str, memory_id: str, url: str | None, as_json: bool, **moment: Any
) -> None:
    """One memory of OWNER that AGENT may read.

    \b
    Example:
      monmouth shared get 0x3c44... 0x7099... 0x5ca1...
    """
    with gateway_client(settings, url) as client:
        found = client.shared_memory(agent, owner, memory_id, **moment)
    if as_json:
        print_json(found)
    else:
        show_memory(found)
