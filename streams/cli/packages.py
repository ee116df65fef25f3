"""``monmouth export`` and ``monmouth import``: an agent's memories as a file, and files as memories.

Invariant: a passphrase comes from the environment or a file of mode 0600, never from an argument, and never leaves this
process: encryption happens here, not at the gateway.
"""

from __future__ import annotations

import os
from base64 import b64decode
from pathlib import Path

import click

from streams.cli.asking import gateway_client, gateway_option, json_option, print_json
from streams.errors import ConfigurationError
from streams.portability.envelope import closed, opened
from streams.private_file import read_secret
from streams.settings import Settings

PASSPHRASE = "MONMOUTH_PACKAGE_PASSPHRASE"
passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File of mode 0600 (or {PASSPHRASE}).",
)


def _passphrase(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(PASSPHRASE) or None
    try:
        return read_secret(file, "passphrase file")
    except OSError as error:
        raise ConfigurationError(f"passphrase file {file} is not usable: {error.strerror or error}") from None


@click.command("export")
@click.argument("agent")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["lines", "avro"]),
    default="lines",
    show_default=True,
    help="JSON, a memory a line; or an Avro file.",
)
@click.option("--compress/--plain", default=False, help="In an envelope, with zstd.")
@click.option("--encrypt", is_flag=True, help="In an envelope, with a passphrase (AES-256-GCM).")
@passphrase_option
@gateway_option
@json_option
@click.pass_obj
def export(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    output: Path,
    form: str,
    compress: bool,
    encrypt: bool,
    passphrase_file: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Write AGENT's memories to a file that proves what it holds.

    \b
    Examples:
      monmouth export 0x7099... -o agent.jsonl
      monmouth export 0x7099... -o agent.mmth --compress
      MONMOUTH_PACKAGE_PASSPHRASE=... monmouth export 0x7099... -o agent.mmth --encrypt
    """
    passphrase = _passphrase(passphrase_file) if encrypt else None
    if encrypt and not passphrase:
        raise click.UsageError(f"--encrypt needs --passphrase-file, or the variable {PASSPHRASE}")
    with gateway_client(settings, url) as client:
        found = client.export(agent, format=form)
    data = b64decode(found.package_base64)
    if compress or passphrase:
        data = closed(data, passphrase, compress)
    part = output.with_name(output.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(output)
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror or error}") from None
    if as_json:
        print_json(found.model_copy(update={"package_base64": ""}))
    else:
        click.echo(f"{found.count} memories, {len(data)} bytes, digest {found.digest} -> {output}")


@click.command("import")
@click.argument("agent")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--accept-unknown", is_flag=True, help="Take a package that no trusted key has signed; its sources stay claims.")
@click.option("--wait", default=10.0, show_default=True, type=click.FloatRange(0, 30), help="Seconds until reads show it.")
@passphrase_option
@gateway_option
@json_option
@click.pass_obj
def import_(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agent: str,
    file: Path,
    accept_unknown: bool,
    wait: float,
    passphrase_file: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Take FILE in as memories of AGENT: a package, a Letta .af file, mem0's JSON, or the reference design's.

    Importing a file twice is importing it once.

    \b
    Examples:
      monmouth import 0x7099... agent.jsonl
      monmouth import 0x7099... letta_agent.af
      monmouth import 0x7099... from-a-friend.jsonl --accept-unknown
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}") from None
    content = opened(data, _passphrase(passphrase_file))
    with gateway_client(settings, url) as client:
        found = client.import_package(agent, content, accept_unknown=accept_unknown, wait=wait)
    if as_json:
        print_json(found)
        return
    kind = "restored" if found.restored else f"taken in from {found.product}"
    skipped = f", {found.skipped} skipped" if found.skipped else ""
    click.echo(f"{found.count} memories {kind}{skipped}{'' if found.visible else '; not all visible yet'}")
