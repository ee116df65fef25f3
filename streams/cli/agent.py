"""``monmouth agent``: an agent's key, the tokens got with it, and what it lets others do.

Invariant: secrets come from files that nobody else may read, never from an argument; of them only a token is ever printed, to
stdout, where it was asked for.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from schemas.defaults import plain_command
from schemas.records import MemoryCommand
from streams.cli.asking import gateway_client, gateway_option, gateway_url, json_option, print_json, when
from streams.errors import ConfigurationError
from streams.identity.binding import Account, Place
from streams.identity.key_file import load_account, load_key, make_key
from streams.identity.tokens import login_message
from streams.serving.addresses import parse_agent, to_hex
from streams.serving.client import Client
from streams.serving.login import AgentKey
from streams.serving.wire.access import AccessReceipt
from streams.settings import Settings

RIGHTS = ("read", "write")


def _file_option(name: str, text: str, *, required: bool = False) -> Callable[[Any], Any]:
    return click.option(name, type=click.Path(path_type=Path, dir_okay=False), required=required, help=text)


key_option = _file_option("--key-file", "The agent's BLS key, mode 0600.", required=True)
login_option = _file_option("--key-file", "The agent's BLS key; without it, a token is taken from the environment.")
account_option = _file_option("--account-file", "The account's private key in hex, mode 0600.")
namespace_option = click.option("--namespace", metavar="TAG", default="", help="Memories with this tag (default: all).")
wait_option = click.option(
    "--wait", default=10.0, show_default=True, type=click.FloatRange(0, 30), help="Seconds until it counts."
)


@click.group()
def agent() -> None:
    """Give an agent a key, get tokens with it, and let other agents read or write.

    \b
    Examples:
      monmouth agent key new alice.key
      monmouth agent register 0x7099... --key-file alice.key --account-file alice.account
      export MONMOUTH_GATEWAY_TOKEN=$(monmouth agent token 0x7099... --key-file alice.key)
      monmouth agent grant 0x7099... 0x3c44... --rights read --namespace team --until 2030-01-01
      monmouth agent grants 0x7099...
    """


@agent.group()
def key() -> None:
    """Make and show key files.

    \b
    Examples:
      monmouth agent key new alice.key
      monmouth agent key show alice.key
    """


@key.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def new(file: Path) -> None:
    """Make a BLS key in FILE, mode 0600, and print its public key. A file that is there is left alone.

    \b
    Example:
      monmouth agent key new alice.key
    """
    click.echo(to_hex(make_key(file).public))


@key.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def show(file: Path) -> None:
    """Print the public key of the key in FILE.

    \b
    Example:
      monmouth agent key show alice.key
    """
    click.echo(to_hex(load_key(file).public))


@agent.command()
@click.argument("agent")
@key_option
@account_option
@click.option("--text", "ask_text", is_flag=True, help="Print what the account is to sign, for a wallet, and register nothing.")
@click.option("--signature", metavar="HEX", help="What the wallet answered; goes with --issued.")
@click.option("--issued", type=click.IntRange(min=0), metavar="TIME", help="The time that the signed text names.")
@wait_option
@gateway_option
@click.pass_obj
def register(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    key_file: Path,
    account_file: Path | None,
    ask_text: bool,
    signature: str | None,
    issued: int | None,
    wait: float,
    url: str | None,
) -> None:
    """Let the key in FILE speak for AGENT, in the place of any before it. AGENT's account must sign for it (EIP-191).

    \b
    Examples:
      monmouth agent register 0x7099... --key-file alice.key --account-file alice.account
      monmouth agent register 0x7099... --key-file alice.key --text > text    then let a wallet sign the text
      monmouth agent register 0x7099... --key-file alice.key --issued 1767225600 --signature 0x...
    """
    if [account_file is not None, ask_text, signature is not None].count(True) != 1:
        raise click.UsageError("give one of --account-file, --text, --signature")
    if (signature is None) != (issued is None):
        raise click.UsageError("--signature and --issued go together")
    name, chosen = parse_agent(agent), load_key(key_file)
    with Client(gateway_url(settings, url), allow_unencrypted=settings.gateway.allow_unencrypted) as client:
        if ask_text:
            now = int(time.time())
            click.echo(_place(client, name).registration(name, chosen.public, now), nl=False)
            click.echo(f"\nLet the account sign this text within ten minutes, then: --issued {now} --signature HEX", err=True)
            return
        if account_file is not None:
            receipt = client.register_key(_account(account_file, name), chosen, wait=wait)
        else:
            receipt = client.register_signed_key(name, chosen, _bytes(signature or ""), issued or 0, wait=wait)
    _tell(receipt, f"registered {to_hex(chosen.public)}")


@agent.command()
@click.argument("agent")
@login_option
@account_option
@wait_option
@gateway_option
@click.pass_obj
def revoke(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, agent: str, key_file: Path | None, account_file: Path | None, wait: float, url: str | None
) -> None:
    """End AGENT's key and every token got with it: as the agent, as the operator, or, the key being lost, by the account.

    \b
    Examples:
      monmouth agent revoke 0x7099... --key-file alice.key
      monmouth agent revoke 0x7099... --account-file alice.account
    """
    if account_file is None:
        with _speaking(settings, url, agent, key_file) as client:
            _tell(client.revoke_key(agent, wait=wait), "revoked")
        return
    if key_file is not None:
        raise click.UsageError("give --key-file or --account-file, not both")
    name = parse_agent(agent)
    with Client(gateway_url(settings, url), allow_unencrypted=settings.gateway.allow_unencrypted) as client:
        client.command(_revocation(_account(account_file, name), _place(client, name)))
    click.echo("revoked; it counts when the stream agents have read it")


@agent.command()
@click.argument("agent")
@key_option
@gateway_option
@click.pass_obj
def token(settings: Settings, agent: str, key_file: Path, url: str | None) -> None:
    """Log in as AGENT and print a token, which lives a quarter of an hour.

    \b
    Example:
      export MONMOUTH_GATEWAY_TOKEN=$(monmouth agent token 0x7099... --key-file alice.key)
    """
    chosen, address = load_key(key_file), gateway_url(settings, url)
    with Client(address) as client:
        asked = client.challenge(agent)
        message = login_message(asked.installation, urlsplit(client.url).hostname or "", asked.challenge)
        click.echo(client.token(agent, asked.challenge, chosen.sign(message)).token)


def _rights(_: click.Context, __: click.Parameter, text: str) -> list[str]:
    rights = [right.strip() for right in text.split(",")]
    if not set(rights) <= set(RIGHTS):
        raise click.BadParameter(f"some of {', '.join(RIGHTS)}, with commas between")
    return sorted(set(rights))


def _until(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """Unix seconds, or a date with or without a time, of UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        moment = None if text.isdigit() else datetime.fromisoformat(text)
        seconds = int(text) if moment is None else int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise click.BadParameter("unix seconds, or a date as in 2030-01-01 or 2030-01-01T12:00:00+02:00") from None
    if seconds <= time.time():
        raise click.BadParameter("that time has passed")
    return seconds


@agent.command()
@click.argument("agent")
@click.argument("grantee")
@click.option("--rights", required=True, callback=_rights, help="read, write, or read,write.")
@namespace_option
@click.option("--until", metavar="TIME", callback=_until, help="When it ends: a date (UTC) or unix seconds (default: never).")
@login_option
@wait_option
@gateway_option
@click.pass_obj
def grant(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    grantee: str,
    rights: list[Any],
    namespace: str,
    until: int | None,
    key_file: Path | None,
    wait: float,
    url: str | None,
) -> None:
    """Let GRANTEE read or store AGENT's memories: those with a tag, or all. It replaces what was said of the same two before.

    \b
    Examples:
      monmouth agent grant 0x7099... 0x3c44... --rights read --namespace team
      monmouth agent grant 0x7099... 0x3c44... --rights read,write --until 2030-01-01 --key-file alice.key
    """
    with _speaking(settings, url, agent, key_file) as client:
        _tell(client.grant(agent, grantee, rights, namespace, until=until, wait=wait), "granted")


@agent.command()
@click.argument("agent")
@click.argument("grantee")
@namespace_option
@login_option
@wait_option
@gateway_option
@click.pass_obj
def ungrant(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, agent: str, grantee: str, namespace: str, key_file: Path | None, wait: float, url: str | None
) -> None:
    """Take back what GRANTEE was granted about a tag, or, without one, about everything.

    \b
    Example:
      monmouth agent ungrant 0x7099... 0x3c44... --namespace team
    """
    with _speaking(settings, url, agent, key_file) as client:
        _tell(client.revoke_grant(agent, grantee, namespace, wait=wait), "taken back")


@agent.command()
@click.argument("agent")
@login_option
@gateway_option
@json_option
@click.pass_obj
def grants(settings: Settings, agent: str, key_file: Path | None, url: str | None, as_json: bool) -> None:
    """List what AGENT lets others do.

    \b
    Example:
      monmouth agent grants 0x7099... --key-file alice.key
    """
    with _speaking(settings, url, agent, key_file) as client:
        found = client.grants(agent)
    if as_json:
        print_json(found)
        return
    for one in found.items:
        where = f"tag {one.namespace}" if one.namespace else "everything"
        until = "" if one.until is None else f", until {when(one.until)} UTC"
        click.echo(f"{one.grantee} {','.join(one.rights)}: {where}{until}")


def _speaking(settings: Settings, url: str | None, agent: str, key_file: Path | None) -> Client:
    """A client with the key in ``key_file``, else with the token that there is."""
    if key_file is None:
        return gateway_client(settings, url)
    allowed = settings.gateway.allow_unencrypted
    return Client(gateway_url(settings, url), key=AgentKey(agent, load_key(key_file)), allow_unencrypted=allowed)


def _place(client: Client, agent: bytes) -> Place:
    asked = client.challenge(agent)
    return Place(asked.installation, asked.chain_id)


def _account(file: Path, agent: bytes) -> Account:
    account = load_account(file)
    if account.address != agent:
        raise ConfigurationError(f"account file {file} is that of {to_hex(account.address)}", "Name the agent of that account.")
    return account


def _revocation(account: Account, place: Place) -> MemoryCommand:
    now = int(time.time())
    plain = plain_command(uuid.uuid4().bytes, account.address, "REVOKE", now)
    return {**plain, "proof": account.sign(place.revocation(account.address, now))}


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise click.BadParameter("hex digits", param_hint="--signature") from None


def _tell(receipt: AccessReceipt, done: str) -> None:
    click.echo(done if receipt.visible else f"{done}; it counts when the stream agents have read it")
