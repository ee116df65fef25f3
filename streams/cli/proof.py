"""``monmouth proof``: checks proof documents without asking any service, and fetches and checks those of the logs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from streams.cli.proof_log import consistency, entry, logs
from streams.core.merkle.document import Document, parse
from streams.core.merkle.fields import ProofError
from streams.errors import MonmouthError

LIMIT = 1 << 20


class ProofFileError(MonmouthError):
    """A file is not a proof document."""


@click.group()
def proof() -> None:
    """Check proofs of memories and of the logs of final states."""


for command in (logs, entry, consistency):
    proof.add_command(command)


@proof.command()
@click.argument("file", metavar="FILE|-")
@click.option("--root", metavar="HEX", help="The root you trust, 64 hex digits; without it, the document's own root is used.")
@click.pass_context
def verify(ctx: click.Context, file: str, root: str | None) -> None:
    """Check one proof. Exit code 0: it holds; 1: it does not, or FILE is no proof.

    \b
    Examples:
      monmouth proof verify memory.proof.json --root 3f0c...
      curl -s localhost:8080/... | monmouth proof verify -
    """
    document = _read(file)
    if root is not None and root.lower().removeprefix("0x") != document.root.hex():
        click.echo(f"no: the proof is for root {document.root.hex()}, not {root}")
        ctx.exit(1)
    if not document.holds():
        click.echo(f"no: the proof does not show that {document.claim}")
        ctx.exit(1)
    click.echo(f"yes: {document.claim}")
    if root is None:
        click.echo("The root is the document's own; compare it with one you trust, or pass --root.", err=True)


def _read(file: str) -> Document:
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(LIMIT + 1)
        else:
            with Path(file).open("rb") as stream:
                raw = stream.read(LIMIT + 1)
        if len(raw) > LIMIT:
            raise ProofFileError(f"{file} is larger than {LIMIT} bytes: no proof is")
        return parse(json.loads(raw))
    except OSError as error:
        raise ProofFileError(f"cannot read {file}: {error.strerror}") from None
    except ProofError as error:
        raise ProofFileError(f"{file} is not a proof: {error}", "Save the whole answer of the gateway, unchanged.") from None
    except (ValueError, RecursionError):
        raise ProofFileError(f"{file} is not JSON") from None
