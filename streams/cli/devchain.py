"""``monmouth devchain``: the development chain as a node of its own, until Ctrl-C."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count

import click

from connectors.chain.devchain import ChangeKind, DevChain, DevNode, HeadChange, ReorgPlan, Step, run_script

ENDLESS = 10**9


@dataclass(frozen=True, slots=True)
class _Options:
    port: int
    seed: int
    block_time: float
    transactions: int
    agents: int
    blocks: int | None
    plan: ReorgPlan | None


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=8545, show_default=True, help="0 takes a free one.")
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), default=1, show_default=True, help="Same seed, same chain.")
@click.option(
    "--block-time", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Seconds between blocks, in real time."
)
@click.option("--txs", type=click.IntRange(0, 2_000), default=12, show_default=True, help="Transactions in a block, about.")
@click.option("--agents", type=click.IntRange(1, 1_000), default=12, show_default=True, help="Accounts that act.")
@click.option("--reorgs", type=click.IntRange(min=0), default=12, show_default=True, help="Blocks between reorgs; 0 for none.")
@click.option("--max-depth", type=click.IntRange(1, 32), default=6, show_default=True, help="Deepest reorg, in blocks.")
@click.option("--blocks", type=click.IntRange(min=1), help="Stop the chain (not the node) after this many.")
def devchain(
    *, port: int, seed: int, block_time: float, txs: int, agents: int, reorgs: int, max_depth: int, blocks: int | None
) -> None:
    """Run the development chain as a node, until Ctrl-C.

    \b
    Examples:
      monmouth devchain                                  a block a second on port 8545
      monmouth devchain --reorgs 0 --txs 200             busy and straight
      monmouth devchain --seed 7 --blocks 100 --block-time 0.1
    """
    plan = ReorgPlan(every=reorgs, max_depth=max_depth) if reorgs else None
    asyncio.run(_serve(_Options(port, seed, block_time, txs, agents, blocks, plan)))


async def _serve(options: _Options) -> None:
    chain = DevChain(options.seed, agents=options.agents, transactions=options.transactions)
    async with DevNode(chain, port=options.port) as node:
        click.echo(f"JSON-RPC   {node.url}")
        click.echo(f"WebSocket  {node.ws_url}")
        click.echo(f"chain id   {chain.rules.chain_id}, seed {options.seed}")
        for number, address in zip(count(1), chain.agents[:3], strict=False):
            click.echo(f"agent {number}    0x{address.hex()}")
        await run_script(node, options.blocks or ENDLESS, options.block_time, options.plan, _print)
        click.echo(f"stopped at block {chain.head.number}; still serving, Ctrl-C ends")
        await asyncio.Event().wait()


def _print(step: Step, change: HeadChange) -> None:
    if change.kind is ChangeKind.EXTEND:
        block = change.added[-1]
        click.echo(f"block {block.ref}  {len(block.transactions)} transactions")
    else:
        click.echo(f"{change.kind} ({step.kind}): {len(change.removed)} out, {len(change.added)} in, back to {change.ancestor}")
