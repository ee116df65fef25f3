"""``monmouth export`` and ``monmouth import``: an agent's memories as a file, and files as memories.

Invariant: a passphrase comes from the environment or a file of mode 0600, never from an argument, and never leaves this
process: encryption happens here, not at the gateway.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from streams.cli.asking import gateway_client, gateway_option, json_option, print_json
from streams.errors import ConfigurationError
from streams.portability.envelope import closed, unlocked
from streams.portability.package import Package
from streams.portability.sniff import read_any
from streams.private_file import read_secret
from streams.serving.addresses import to_hex
from streams.settings import Settings

PATIENCE = 900.0
"""Seconds for one package: 10,000 memories are as many records of the log."""
MOST = 1 << 34
"""Bytes that a package of the gateway's may have here, where nobody else is served."""
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
    """Write AGENT's memories to a file that proves what it holds; it has been checked when this returns.

    \b
    Examples:
      monmouth export 0x7099... -o agent.jsonl
      monmouth export 0x7099... -o agent.mmth --compress
      MONMOUTH_PACKAGE_PASSPHRASE=... monmouth export 0x7099... -o agent.mmth --encrypt
    """
    passphrase = _passphrase(passphrase_file) if encrypt else None
    if encrypt and not passphrase:
        raise click.UsageError(f"--encrypt needs --passphrase-file, or the variable {PASSPHRASE}")
    with gateway_client(settings, url, PATIENCE) as client:
        data = client.export_file(agent, format=form, compress=compress and not passphrase)
    package = read_any(data, most=MOST)
    assert isinstance(package, Package)
    if passphrase:
        data = closed(data, passphrase, compress)
    part = output.with_name(output.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(output)
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror or error}") from None
    if as_json:
        click.echo(json.dumps({"digest": to_hex(package.digest), "format": form, "manifest": package.manifest}, indent=2))
    else:
        count = len(package.memories)
        click.echo(f"{count} memories, {len(data)} bytes, digest {to_hex(package.digest)} -> {output}")


@click.command("import")
@click.argument("agent")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--accept-unknown", is_flag=True, help="Take a package that no trusted key has signed; its sources stay claims.")
@click.option("--from-agent", metavar="NAME", help="Whose memories of another product's file, as it names them; '*': all.")
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
    from_agent: str | None,
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
      monmouth import 0x7099... team.af --from-agent researcher
      monmouth import 0x7099... from-a-friend.jsonl --accept-unknown
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}") from None
    content = unlocked(data, _passphrase(passphrase_file))
    with gateway_client(settings, url, PATIENCE) as client:
        found = client.import_package(agent, content, accept_unknown=accept_unknown, from_agent=from_agent, wait=wait)
    if as_json:
        print_json(found)
        return
    kind = "restored" if found.restored else f"taken in from {found.product}"
    skipped = f", {found.skipped} skipped" if found.skipped else ""
    click.echo(f"{found.count} memories {kind}{skipped}{'' if found.visible else '; not all visible yet'}")
