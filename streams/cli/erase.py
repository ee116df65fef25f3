"""``monmouth erase``: an agent and everything of it, for good; and checks of receipts."""

from __future__ import annotations

import json
from pathlib import Path

import click

from streams.cli.asking import gateway_client, gateway_option
from streams.errors import ConfigurationError
from streams.settings import Settings
from streams.signing import Verifier, load_or_create_signer, load_verifier
from streams.vault.receipt import check, proven


class _Erase(click.Group):
    """A group whose first word may be an agent."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["agent", *args])


@click.group(cls=_Erase)
def erase() -> None:
    """Erase AGENT: memories, vectors, access, keys. It cannot be undone, and the address is not remembered again.

    \b
    Examples:
      monmouth erase 0x7099... -o receipt.json
      monmouth erase verify receipt.json
    """


@erase.command("agent", hidden=True)
@click.argument("agent")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the receipt here.")
@click.option(
    "--wait", default=30.0, show_default=True, type=click.FloatRange(min=0), help="Seconds to wait until everything is gone."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@gateway_option
@click.pass_obj
def agent_(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, agent: str, output: Path | None, wait: float, yes: bool, url: str | None
) -> None:
    """Erase AGENT.

    \b
    Example:
      monmouth erase 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 -o receipt.json
    """
    if not yes:
        click.confirm(f"Erase everything of {agent} for good?", abort=True)
    with gateway_client(settings, url) as client:
        answer = client.erase(agent, wait=wait)
    if answer.receipt is None:
        click.echo("begun; the stream agents are not done yet. Ask again for the receipt.")
        raise click.exceptions.Exit(3)
    text = json.dumps(answer.receipt, indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text)
    except OSError as error:
        raise ConfigurationError(f"cannot write {output}: {error.strerror}") from None
    click.echo(f"erased: {answer.receipt['memories']} memories; the receipt is in {output}")


@erase.command()
@click.argument("receipt", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--key", "keys", metavar="HEX", multiple=True, help="Public key to trust (default: those trusted here).")
@click.pass_context
def verify(ctx: click.Context, receipt: Path, keys: tuple[str, ...]) -> None:
    """Check a receipt: signed by a key that is trusted, and saying that nothing was left. Needs no secret.

    Exit code 0: it holds, and proves that nothing is left; 3: it holds, and the agent had no root to prove that from.

    \b
    Examples:
      monmouth erase verify receipt.json
      monmouth erase verify receipt.json --key 8f40c5ad...
    """
    trusted = _trusted(ctx.obj, keys)
    try:
        found = json.loads(receipt.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"cannot read {receipt}: {error}") from None
    said = check(found, trusted)
    destroyed = ", ".join(said["keys_destroyed"])
    click.echo(f"{said['agent']} was erased: {said['memories']} memories, keys {destroyed}; the receipt holds")
    if not proven(said):
        click.echo("absence is not proven: no root of the agent stood, or an earlier version wrote the receipt", err=True)
        ctx.exit(3)
    click.echo("absence is proven: the agent's root is the empty one, under which nothing lies")


def _trusted(settings: Settings, keys: tuple[str, ...]) -> Verifier:
    if keys:
        try:
            return Verifier([bytes.fromhex(key.removeprefix("0x")) for key in keys])
        except ValueError:
            raise click.UsageError("--key is a public key of 64 hex digits") from None
    own = settings.path(settings.security.signing_key_file)
    signers = [load_or_create_signer(own)] if own.exists() else []
    return load_verifier(settings.path(settings.security.trusted_keys_file), *signers)
