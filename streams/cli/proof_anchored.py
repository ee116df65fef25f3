"""``monmouth proof anchor`` and ``anchored``: an agent's memory root on the chain, what to sign for it and what it proves."""

from __future__ import annotations

import asyncio

import click

from connectors.chain.configured import ask_nodes
from connectors.chain.memory_root import SHARED_CODE, Anchor, init_code, owned_code, read_anchor, set_root_call
from streams.cli.asking import gateway_client, gateway_option
from streams.cli.proof_file import read_document
from streams.core.merkle.document import MemberDocument
from streams.serving.addresses import parse_agent
from streams.settings import Settings


@click.command()
@click.argument("agent")
@gateway_option
@click.pass_obj
def anchor(settings: Settings, agent: str, url: str | None) -> None:
    """Print what AGENT signs to anchor its published root on the chain; this program holds no account keys.

    \b
    Example:
      monmouth proof anchor 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
    """
    address = parse_agent(agent)
    with gateway_client(settings, url) as client:
        root = bytes.fromhex(client.root(address).merkle_root.removeprefix("0x"))
    click.echo(f"root        0x{root.hex()}")
    click.echo(f"calldata    0x{set_root_call(root).hex()}   (from the agent to itself, or to its own contract)")
    click.echo(f"shared copy 0x{init_code(SHARED_CODE).hex()}   (create it once; accounts delegate to it, EIP-7702)")
    click.echo(f"own copy    0x{init_code(owned_code(address)).hex()}   (create it where accounts cannot delegate)")


@click.command()
@click.option("--rpc", metavar="URL", help="Ask this node alone (default: those of the settings).")
@click.option("--agent", required=True, metavar="ADDRESS", help="The agent.")
@click.option(
    "--contract", metavar="ADDRESS", help="Contract deployed for the agent (default: its account delegates, EIP-7702)."
)
@click.option("--block", default="latest", show_default=True, help="Tag, 0x-number, or the hash of the block you trust.")
@click.option("--proof", "file", metavar="FILE|-", help="Compare with this proof document instead of the gateway's root.")
@gateway_option
@click.pass_context
def anchored(  # noqa: PLR0917  (click passes options by name)
    ctx: click.Context,
    rpc: str | None,
    agent: str,
    contract: str | None,
    block: str,
    file: str | None,
    url: str | None,
) -> None:
    """Read AGENT's memory root from the chain, prove it against the block, and compare. Exit code 0: equal; 1: not.

    \b
    Examples:
      monmouth proof anchored --rpc http://127.0.0.1:8545 --agent 0x7099...
      monmouth proof anchored --rpc http://127.0.0.1:8545 --agent 0x7099... --block 0x1b9a... --proof memory.proof.json
    """
    settings: Settings = ctx.obj
    address = parse_agent(agent)
    found = asyncio.run(_read(settings, rpc, address, parse_agent(contract) if contract else None, block))
    where = f"block {found.block.number} 0x{found.block.hash.hex()}"
    if file is None:
        with gateway_client(settings, url) as client:
            expected, source = client.root(address).merkle_root.removeprefix("0x"), "the gateway's published root"
    else:
        document = read_document(file)
        if not isinstance(document, MemberDocument) or not document.holds():
            click.echo(f"no: {file} holds no proof of a memory that holds")
            ctx.exit(1)
        expected, source = document.root.hex(), f"the root of {file}"
    if found.root.hex() != expected:
        click.echo(f"no: anchored at {where} is {found.root.hex()}, {source} is {expected}")
        ctx.exit(1)
    click.echo(f"yes: {found.root.hex()}, anchored at {where}, is {source}")
    if len(block) != 66:
        click.echo("The block hash is the node's own word; pass --block HASH to use one you trust.", err=True)


async def _read(settings: Settings, rpc: str | None, agent: bytes, contract: bytes | None, block: str) -> Anchor:
    return await ask_nodes(settings.chain, rpc, lambda node: read_anchor(node, agent, contract=contract, block=block))
