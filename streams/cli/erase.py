"""``monmouth erase``: an agent and everything of it, for good; and checks of receipts."""

from __future__ import annotations

import json
from pathlib import Path

import click

from streams.cli.asking import gateway_client, gateway_option
from streams.errors import ConfigurationError
from streams.settings import Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.vault.receipt import check


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
@click.pass_obj
def verify(settings: Settings, receipt: Path) -> None:
    """Check a receipt: signed by a key that is trusted here, and saying that nothing was left.

    \b
    Example:
      monmouth erase verify receipt.json
    """
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    trusted = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    try:
        found = json.loads(receipt.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"cannot read {receipt}: {error}") from None
    said = check(found, trusted)
    keys = ", ".join(said["keys_destroyed"])
    click.echo(f"{said['agent']} was erased: {said['memories']} memories, keys {keys}; the receipt holds")
