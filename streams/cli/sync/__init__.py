"""``monmouth sync``: compares this deployment with another one of the same chain, and mends this one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from streams.cli.asking import gateway_option, gateway_url, json_option, print_json, token
from streams.cli.sync.repairing import repaired
from streams.cli.sync.shown import show, show_outcome
from streams.identity.operator import load_or_create_token, read_token
from streams.serving.sync.compare import LIMIT, compare
from streams.serving.sync.findings import Findings
from streams.serving.sync.partner import over_http
from streams.settings import Settings

DIFFERS = 3
"""Exit code where the two are not equal."""

peer_option = click.option("--peer", required=True, metavar="URL", help="Gateway of the other deployment.")
token_option = click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of mode 0600 with the token its operator gave (`monmouth sync token` there).",
)
limit_option = click.option(
    "--limit", default=LIMIT, show_default=True, type=click.IntRange(1, LIMIT), help="Most agents that are named."
)


@click.group("sync")
def sync() -> None:
    """Compare this deployment with another one of the same chain; mend this one.

    \b
    Both gateways must run. Neither has to trust the other: what differs is decided by this side's own log and chain.

    \b
    Examples:
      monmouth sync token                    what the other operator puts into a file
      monmouth sync compare --peer https://other.example:8080 --token-file other.token
      monmouth sync repair --peer https://other.example:8080 --token-file other.token
    """


@sync.command("token")
@click.pass_obj
def token_(settings: Settings) -> None:
    """Print the token that opens this deployment's digests, and nothing else; made at the first call.

    A gateway that runs takes it in when it starts again.

    \b
    Example:
      monmouth sync token > ours.token
    """
    click.echo(load_or_create_token(settings.path(settings.security.partner_token_file), "partner token"))


@sync.command("compare")
@peer_option
@token_option
@limit_option
@gateway_option
@json_option
@click.pass_obj
def compare_(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, peer: str, token_file: Path | None, limit: int, url: str | None, as_json: bool
) -> None:
    """Say what differs: the first block, the agents, their memories. Exit code 3 if anything does.

    \b
    A deployment that is only behind or ahead is equal as far as both go: exit code 0.

    \b
    Example:
      monmouth sync compare --peer https://other.example:8080 --token-file other.token
    """
    findings = asyncio.run(compared(settings, url, peer, token_file, limit))
    if as_json:
        print_json(findings)
    else:
        show(findings)
    if findings.verdict in {"forked", "differs"}:
        raise click.exceptions.Exit(DIFFERS)


@sync.command("repair")
@peer_option
@token_option
@limit_option
@click.option("--dry-run", is_flag=True, help="Say what is wrong, and change nothing.")
@gateway_option
@json_option
@click.pass_obj
def repair_(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, peer: str, token_file: Path | None, limit: int, dry_run: bool, url: str | None, as_json: bool
) -> None:
    """Compare, and make this deployment's store what its own log and the chain say. Exit code 3 if anything is left to do.

    \b
    Run it where the store, the keys and chain.rpc_url of this deployment are. Workers and gateway stay up. Nothing the peer
    says ends up in the store: it only tells where to look.

    \b
    Example:
      monmouth sync repair --peer https://other.example:8080 --token-file other.token --dry-run
    """
    findings, outcome = asyncio.run(repaired(settings, url, peer, token_file, limit, dry=dry_run))
    if as_json:
        click.echo(json.dumps({"findings": findings.model_dump(), "outcome": outcome.model_dump()}, indent=2))
    else:
        show(findings)
        show_outcome(outcome)
    if not outcome.sound:
        raise click.exceptions.Exit(DIFFERS)


async def compared(settings: Settings, url: str | None, peer: str, token_file: Path | None, limit: int) -> Findings:
    """The comparison of this deployment's gateway with the other one. Raises PartnerError, ConfigurationError."""
    mine = gateway_url(settings, url)
    theirs = None if token_file is None else read_token(token_file, "partner token")
    allowed = settings.gateway.allow_unencrypted
    async with (
        over_http("this deployment", mine, token(settings, mine), allow_unencrypted=allowed) as here,
        over_http("the peer", peer, theirs, allow_unencrypted=allowed) as there,
    ):
        return await compare(here, there, limit)
