"""``monmouth memory supersede|merge|invalidate|link``: what was said stays on record, and is no longer what is answered."""

from __future__ import annotations

import click

from streams.cli.answers import show_receipt
from streams.cli.asking import gateway_client, gateway_option, json_option, wait_option
from streams.settings import Settings

ids_argument = click.argument("memory_ids", nargs=-1, required=True)


@click.command()
@click.argument("agent")
@ids_argument
@click.option("--text", required=True, help="What is true instead.")
@wait_option
@gateway_option
@json_option
@click.pass_obj
def supersede(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, agent: str, memory_ids: tuple[str, ...], text: str, wait: float, url: str | None, as_json: bool
) -> None:
    """Keep a new memory of AGENT in the place of outdated ones.

    \b
    Example:
      monmouth memory supersede 0x7099... 0x5ca1... --text "prefers DAI over ETH"
    """
    with gateway_client(settings, url) as client:
        show_receipt(client.supersede(agent, memory_ids, text, wait=wait), "stored in their place", as_json)


@click.command()
@click.argument("agent")
@ids_argument
@click.option("--text", required=True, help="What says all that they said.")
@wait_option
@gateway_option
@json_option
@click.pass_obj
def merge(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, agent: str, memory_ids: tuple[str, ...], text: str, wait: float, url: str | None, as_json: bool
) -> None:
    """Keep one memory of AGENT in the place of several.

    \b
    Example:
      monmouth memory merge 0x7099... 0x5ca1... 0x77b0... --text "likes tea, green above all"
    """
    with gateway_client(settings, url) as client:
        show_receipt(client.merge(agent, memory_ids, text, wait=wait), "stored in their place", as_json)


@click.command()
@click.argument("agent")
@ids_argument
@click.option("--reason", default="", help="Why they are no longer true.")
@wait_option
@gateway_option
@json_option
@click.pass_obj
def invalidate(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, agent: str, memory_ids: tuple[str, ...], reason: str, wait: float, url: str | None, as_json: bool
) -> None:
    """Say that memories of AGENT are no longer true; questions about the time before still find them.

    \b
    Example:
      monmouth memory invalidate 0x7099... 0x5ca1... --reason "moved away"
    """
    with gateway_client(settings, url) as client:
        show_receipt(client.invalidate(agent, memory_ids, reason, wait=wait), "no longer true", as_json)


@click.command()
@click.argument("agent")
@click.argument("source")
@click.argument("target")
@click.option("--relation", default="", help="What the first is to the second.")
@click.option("--strength", default=1.0, show_default=True, type=click.FloatRange(0, 1), help="How strongly.")
@wait_option
@gateway_option
@json_option
@click.pass_obj
def link(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    source: str,
    target: str,
    relation: str,
    strength: float,
    wait: float,
    url: str | None,
    as_json: bool,
) -> None:
    """Say that two memories of AGENT belong together.

    \b
    Example:
      monmouth memory link 0x7099... 0x5ca1... 0x77b0... --relation causes
    """
    with gateway_client(settings, url) as client:
        show_receipt(client.link(agent, source, target, relation, strength=strength, wait=wait), "linked", as_json)
