"""``monmouth proof sign`` and ``signed``: the agent's own signature on the memory root that it anchored on the chain."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click
from eth_abi.abi import encode

from connectors.chain.configured import ask_nodes
from connectors.chain.convert import quantity
from connectors.chain.jsonrpc import JsonRpc
from connectors.chain.memory_root import read_anchor
from schemas.records import MEMORY_TYPES
from streams.cli.asking import gateway_client, gateway_option
from streams.decoding.abi import parse_signature
from streams.decoding.agent_abi import AGENT_METHODS
from streams.errors import ConfigurationError, SourceError
from streams.identity.key_file import load_key
from streams.identity.signed_root import LONGEST, RootPlace, SignedRoot, read_signed_root, sign_root
from streams.serving.addresses import parse_agent
from streams.settings import Settings

TAG = "memory-root"
rpc_option = click.option("--rpc", metavar="URL", help="Ask this node alone (default: those of the settings).")


@click.command()
@rpc_option
@click.option("--agent", required=True, metavar="ADDRESS", help="The agent.")
@click.option("--key-file", required=True, type=click.Path(path_type=Path), help="Its BLS key, as `agent key new` made it.")
@click.option("--contract", metavar="ADDRESS", help="Contract deployed for it (default: its account delegates, EIP-7702).")
@click.option("--block", default="latest", show_default=True, help="Tag, 0x-number, or the hash of the block.")
@click.option("--calldata", is_flag=True, help="Print what publishes the signature on the chain, as a memory of the agent.")
@click.pass_obj
def sign(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, rpc: str | None, agent: str, key_file: Path, contract: str | None, block: str, calldata: bool
) -> None:
    """Sign the memory root that AGENT has anchored, as the chain holds it, with the agent's BLS key.

    \b
    Examples:
      monmouth proof sign --agent 0x7099... --key-file alice.key > root.json
      monmouth proof sign --agent 0x7099... --key-file alice.key --calldata    to be sent by the agent to any account
    """
    key, address = load_key(key_file), parse_agent(agent)
    place = asyncio.run(_place(settings, rpc, address, parse_agent(contract) if contract else None, block))
    said = sign_root(key, place).document()
    click.echo(f"0x{_store_call(said).hex()}" if calldata else said)


@click.command()
@click.argument("file", metavar="FILE|-")
@rpc_option
@click.option("--key", metavar="HEX", help="The agent's public key (default: the one registered at the gateway).")
@gateway_option
@click.pass_context
def signed(ctx: click.Context, file: str, rpc: str | None, key: str | None, url: str | None) -> None:
    """Check a signed root: the chain holds it where it says, and the agent's key signed it. Exit code 0: yes; 1: no.

    \b
    Examples:
      monmouth proof signed root.json --key 8f2a...
      monmouth proof signed - --rpc http://127.0.0.1:8545 < root.json
    """
    settings: Settings = ctx.obj
    found = read_signed_root(_read(file))
    trusted = key.lower().removeprefix("0x") if key else _registered(settings, url, found.place.agent)
    if (wrong := _wrong(found, trusted)) is not None:
        click.echo(f"no: {wrong}")
        ctx.exit(1)
    place = found.place
    contract = place.holder if place.holder != place.agent else None
    proved = asyncio.run(_place(settings, rpc, place.agent, contract, f"0x{place.block.hex()}"))
    if proved != place:
        click.echo(f"no: the chain {proved.chain_id} holds {proved.root.hex()} there, in block {proved.number}")
        ctx.exit(1)
    click.echo(
        f"yes: agent 0x{place.agent.hex()} signed {place.root.hex()}, "
        f"anchored at block {place.number} 0x{place.block.hex()} of chain {place.chain_id}"
    )


def _wrong(found: SignedRoot, trusted: str) -> str | None:
    agent = f"agent 0x{found.place.agent.hex()}"
    if not trusted:
        return f"{agent} has no key that anybody registered: name it with --key"
    if found.public_key.hex() != trusted:
        return f"key {found.public_key.hex()} is not that of {agent}"
    return None if found.holds() else f"the signature is not that of {agent} over this root, block and chain"


def _registered(settings: Settings, url: str | None, agent: bytes) -> str:
    with gateway_client(settings, url) as client:
        return (client.key(agent).public_key or "").removeprefix("0x")


async def _place(settings: Settings, rpc: str | None, agent: bytes, contract: bytes | None, block: str) -> RootPlace:
    async def ask(node: JsonRpc) -> RootPlace:
        chain_id = _chain_id(await node.call("eth_chainId"))
        anchor = await read_anchor(node, agent, contract=contract, block=block)
        return RootPlace(chain_id, anchor.holder, agent, anchor.block.number, anchor.block.hash, anchor.root)

    return await ask_nodes(settings.chain, rpc, ask)


def _chain_id(answer: Any) -> int:
    try:
        return quantity(answer)
    except (TypeError, ValueError):
        raise SourceError(f"the node sent something that is no chain id: {str(answer)[:80]}") from None


def _store_call(document: str) -> bytes:
    store = next(method for method in AGENT_METHODS if method.intent == "memory_store")
    signature = parse_signature(store.signature)
    arguments = [MEMORY_TYPES.index("SEMANTIC"), document.encode(), 10_000, [TAG]]
    return signature.selector + encode([parameter.type for parameter in signature.parameters], arguments)


def _read(file: str) -> bytes:
    try:
        if file == "-":
            return sys.stdin.buffer.read(LONGEST + 1)
        with Path(file).open("rb") as stream:
            return stream.read(LONGEST + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
