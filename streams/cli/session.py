"""``monmouth session``: memories that belong to one task, from the command line."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.answers import show_context, show_memories, show_receipt
from streams.cli.asking import gateway_client, gateway_option, json_option, moment_options, print_json, wait_option, when
from streams.cli.options import (
    limit_option,
    max_results_option,
    max_tokens_option,
    min_similarity_option,
    render_option,
    store_options,
)
from streams.serving.wire import SessionView
from streams.settings import Settings

session_argument = click.argument("session_id", metavar="SESSION")
owner_option = click.option("--owner", metavar="ADDRESS", help="Whose session it is, where AGENT takes part in another's.")
promote_option = click.option("--promote/--discard", default=None, help="Whether its memories stay when it ends.")


@click.group()
def session() -> None:
    """Open sessions of an agent, note in them, ask them, and end them.

    \b
    Examples:
      monmouth session open 0x7099... --goal "rebalance the treasury" --seconds 900
      monmouth session store 0x7099... 5e55... "the USDC pool is thin today"
      monmouth session ask 0x7099... 5e55... "how is the pool?"
      monmouth session close 0x7099... 5e55... --discard
    """


def _show(found: SessionView, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found.id}  {found.state.lower()}{'' if found.visible else '; reads do not show it yet'}")


@session.command("open")
@click.argument("agent")
@click.option("--goal", help="What it is for.")
@click.option("--context", help="What it is about.")
@click.option("--seconds", type=click.IntRange(min=1), help="How long it lasts (default: an hour).")
@click.option("--max-memories", type=click.IntRange(min=1), help="Most memories it holds; the oldest go first.")
@click.option("--collaborator", "collaborators", multiple=True, metavar="ADDRESS", help="Who may read, ask and store; repeat.")
@click.option("--id", "session_id", metavar="UUID", help="Repeat one to be sure that a retry opens nothing twice.")
@promote_option
@wait_option
@gateway_option
@json_option
@click.pass_obj
def open_session(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    goal: str | None,
    context: str | None,
    seconds: int | None,
    max_memories: int | None,
    collaborators: tuple[str, ...],
    session_id: str | None,
    promote: bool | None,
    wait: float,
    url: str | None,
    as_json: bool,
) -> None:
    """Open a session of AGENT.

    \b
    Examples:
      monmouth session open 0x7099... --goal "rebalance the treasury" --seconds 900
      monmouth session open 0x7099... --collaborator 0x3c44... --discard
    """
    with gateway_client(settings, url) as client:
        found = client.open_session(
            agent,
            session_id=session_id,
            goal=goal,
            context=context,
            seconds=seconds,
            max_memories=max_memories,
            collaborators=list(collaborators) or None,
            promote=promote,
            wait=wait,
        )
    _show(found, as_json)


@session.command("list")
@click.argument("agent")
@gateway_option
@json_option
@click.pass_obj
def list_sessions(settings: Settings, agent: str, url: str | None, as_json: bool) -> None:
    """Open sessions of AGENT, and the last that ended.

    \b
    Example:
      monmouth session list 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
    """
    with gateway_client(settings, url) as client:
        found = client.list_sessions(agent)
    if as_json:
        print_json(found)
        return
    table = Table("opened", "state", "holds", "until", "goal", "id", box=None, pad_edge=False)
    for item in found.items:
        state = "expired" if item.expired else item.state.lower()
        table.add_row(when(item.opened), state, str(item.count), when(item.expires), Text(item.goal), Text(item.id, "dim"))
    Console().print(table if found.items else "no sessions")


@session.command("store")
@click.argument("agent")
@session_argument
@click.argument("text")
@owner_option
@store_options("WORKING")
@gateway_option
@json_option
@click.pass_obj
def store(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    /,
    agent: str,
    session_id: str,
    text: str,
    owner: str | None,
    url: str | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Keep TEXT in a SESSION; it shows there alone until the session ends.

    \b
    Examples:
      monmouth session store 0x7099... 5e55... "the USDC pool is thin today"
      monmouth session store 0x3c44... 5e55... "gas is dear" --owner 0x7099...
    """
    with gateway_client(settings, url) as client:
        if owner is not None:
            receipt = client.store_in_shared_session(agent, owner, session_id, text, **said)
        else:
            receipt = client.store_in_session(agent, session_id, text, **said)
    show_receipt(receipt, "stored", as_json)


@session.command("read")
@click.argument("agent")
@session_argument
@owner_option
@limit_option
@moment_options
@gateway_option
@json_option
@click.pass_obj
def read(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    /,
    agent: str,
    session_id: str,
    owner: str | None,
    limit: int,
    url: str | None,
    as_json: bool,
    **moment: Any,
) -> None:
    """What a SESSION holds, newest first.

    \b
    Examples:
      monmouth session read 0x7099... 5e55...
      monmouth session read 0x3c44... 5e55... --owner 0x7099... --as-of-time 2026-01-31T12:00:00Z
    """
    with gateway_client(settings, url) as client:
        if owner is not None:
            found = client.shared_session_memories(agent, owner, session_id, limit=limit, **moment)
        else:
            found = client.retrieve_from_session(agent, session_id, limit=limit, **moment)
    if as_json:
        print_json(found)
    else:
        show_memories(found)


@session.command("ask")
@click.argument("agent")
@session_argument
@click.argument("text")
@owner_option
@max_results_option
@min_similarity_option
@max_tokens_option
@render_option
@moment_options
@gateway_option
@json_option
@click.pass_obj
def ask(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    /,
    agent: str,
    session_id: str,
    text: str,
    owner: str | None,
    max_results: int,
    url: str | None,
    as_json: bool,
    **more: Any,
) -> None:
    """Ask in words for what a SESSION holds, and for nothing outside of it.

    \b
    Examples:
      monmouth session ask 0x7099... 5e55... "how is the pool?"
      monmouth session ask 0x3c44... 5e55... "what did we find?" --owner 0x7099... -n 3 --json
    """
    with gateway_client(settings, url) as client:
        if owner is not None:
            found = client.query_shared_session(agent, owner, session_id, text, max_results, **more)
        else:
            found = client.query_session(agent, session_id, text, max_results, **more)
    if as_json:
        print_json(found)
    else:
        show_context(found)


@session.command("change")
@click.argument("agent")
@session_argument
@click.option("--goal", help="What it is for.")
@click.option("--context", help="What it is about.")
@click.option("--seconds", type=click.IntRange(min=1), help="How long it lasts from now on.")
@click.option("--max-memories", type=click.IntRange(min=1), help="Most memories it holds; the oldest go first.")
@click.option("--collaborator", "collaborators", multiple=True, metavar="ADDRESS", help="All who may take part from now on.")
@click.option("--alone", is_flag=True, help="Nobody takes part any more.")
@promote_option
@wait_option
@gateway_option
@json_option
@click.pass_obj
def change(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    session_id: str,
    goal: str | None,
    context: str | None,
    seconds: int | None,
    max_memories: int | None,
    collaborators: tuple[str, ...],
    alone: bool,
    promote: bool | None,
    wait: float,
    url: str | None,
    as_json: bool,
) -> None:
    """Extend a SESSION, or change what it is for and who takes part.

    \b
    Examples:
      monmouth session change 0x7099... 5e55... --seconds 3600 --max-memories 500
      monmouth session change 0x7099... 5e55... --collaborator 0x3c44... --collaborator 0x90f7...
    """
    if alone and collaborators:
        raise click.UsageError("give --collaborator or --alone, one of them")
    others = [] if alone else list(collaborators) or None
    with gateway_client(settings, url) as client:
        found = client.change_session(
            agent,
            session_id,
            goal=goal,
            context=context,
            seconds=seconds,
            max_memories=max_memories,
            collaborators=others,
            promote=promote,
            wait=wait,
        )
    _show(found, as_json)


@session.command("merge")
@click.argument("agent")
@session_argument
@click.argument("other_id", metavar="OTHER")
@wait_option
@gateway_option
@json_option
@click.pass_obj
def merge(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, agent: str, session_id: str, other_id: str, wait: float, url: str | None, as_json: bool
) -> None:
    """Take the memories of the session OTHER over into SESSION; OTHER ends.

    \b
    Example:
      monmouth session merge 0x7099... 5e55... 0b5c...
    """
    with gateway_client(settings, url) as client:
        _show(client.merge_session(agent, session_id, other_id, wait=wait), as_json)


@session.command("close")
@click.argument("agent")
@session_argument
@promote_option
@wait_option
@gateway_option
@json_option
@click.pass_obj
def close(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, agent: str, session_id: str, promote: bool | None, wait: float, url: str | None, as_json: bool
) -> None:
    """End a SESSION: its memories become lasting ones, or are deleted, as it was opened unless told.

    \b
    Examples:
      monmouth session close 0x7099... 5e55... --promote
      monmouth session close 0x7099... 5e55... --discard
    """
    with gateway_client(settings, url) as client:
        _show(client.close_session(agent, session_id, promote=promote, wait=wait), as_json)
