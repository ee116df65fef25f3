"""``monmouth proof``: checks proof documents without asking any service, fetches and checks those of the logs, and compares
roots with what is anchored on the chain.
"""

from __future__ import annotations

import click

from streams.cli.proof_anchored import anchor, anchored
from streams.cli.proof_file import read_document
from streams.cli.proof_log import consistency, entry, logs
from streams.cli.proof_signed import sign, signed


@click.group()
def proof() -> None:
    """Check proofs of memories, of the logs of final states, and of roots on the chain.

    \b
    Examples:
      monmouth proof logs
      monmouth proof verify memory.proof.json --root 3f0c...
      monmouth proof anchored --agent 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
    """


for command in (logs, entry, consistency, anchor, anchored, sign, signed):
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
    document = read_document(file)
    if root is not None and root.lower().removeprefix("0x") != document.root.hex():
        click.echo(f"no: the proof is for root {document.root.hex()}, not {root}")
        ctx.exit(1)
    if not document.holds():
        click.echo(f"no: the proof does not show that {document.claim}")
        ctx.exit(1)
    click.echo(f"yes: {document.claim}")
    if root is None:
        click.echo("The root is the document's own; compare it with one you trust, or pass --root.", err=True)
