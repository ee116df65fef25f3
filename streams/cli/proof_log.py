"""``monmouth proof logs``, ``entry`` and ``consistency``: proofs of the logs of final lattice states, fetched and verified.

What is saved with ``-o`` is a proof document, which ``monmouth proof verify`` checks again without any gateway.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from streams.cli.asking import gateway_client, gateway_option
from streams.errors import ConfigurationError
from streams.settings import Settings

out_option = click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Save the proof document.")
size_option = click.option("--size", type=click.IntRange(min=1), help="Entries of the log to prove in (default: all).")
partition_argument = click.argument("partition", type=click.IntRange(min=0))


def _save(document: dict[str, Any], out: Path | None) -> None:
    if out is None:
        return
    try:
        out.write_text(json.dumps(document, indent=2) + "\n")
    except OSError as error:
        raise ConfigurationError(f"cannot write {out}: {error.strerror}") from None


@click.command()
@gateway_option
@click.pass_obj
def logs(settings: Settings, url: str | None) -> None:
    """Show partition, size and root of every log: what to keep for a later `consistency`.

    \b
    Example:
      monmouth proof logs
    """
    with gateway_client(settings, url) as client:
        found = client.logs()
    for log in found.items:
        click.echo(f"{log.partition} {log.size} {log.root}  final block {log.newest.block.number} {log.newest.block.hash}")


@click.command()
@partition_argument
@click.argument("index", type=click.IntRange(min=0))
@click.option("--root", metavar="HEX", help="The root you trust, of a log of --size entries.")
@size_option
@out_option
@gateway_option
@click.pass_obj
def entry(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, partition: int, index: int, root: str | None, size: int | None, out: Path | None, url: str | None
) -> None:
    """Fetch entry INDEX of the log of PARTITION and verify that it is in it.

    \b
    Example:
      monmouth proof entry 0 17 --size 40 --root 0x3f0c... -o entry.proof.json
    """
    with gateway_client(settings, url) as client:
        answer = client.log_entry(partition, index, size, root)
    _save(answer.proof, out)
    block = answer.entry.block
    click.echo(f"yes: state {answer.entry.checksum} at final block {block.number} {block.hash}")
    click.echo(f"is entry {index} of the log of {answer.size} entries and root {answer.root}")
    if root is None:
        click.echo("The root is the gateway's own; compare it with one you trust, or pass --root.", err=True)


@click.command()
@partition_argument
@click.argument("first", type=click.IntRange(min=1))
@click.argument("first_root", metavar="FIRST_ROOT")
@size_option
@out_option
@gateway_option
@click.pass_obj
def consistency(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, partition: int, first: int, first_root: str, size: int | None, out: Path | None, url: str | None
) -> None:
    """Verify that the log you knew (FIRST entries, FIRST_ROOT) is the beginning of today's: nothing was altered since.

    \b
    Example:
      monmouth proof consistency 0 40 0x3f0c... -o grown.proof.json
    """
    with gateway_client(settings, url) as client:
        answer = client.log_consistency(partition, first, first_root, size)
    _save(answer.proof, out)
    click.echo(f"yes: the log of {answer.size} entries and root {answer.root}")
    click.echo(f"begins with the one of {first} entries and root {answer.first_root}")
