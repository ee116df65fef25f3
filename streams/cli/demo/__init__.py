"""``monmouth demo``: the whole pipeline on one machine, on a chain that reorganises, checked against an independent fold."""

from __future__ import annotations

import asyncio
import signal
import sys

import click

from streams.settings import Settings

FAST_BLOCKS = 45


@click.command()
@click.option("--fast", is_flag=True, help=f"A short run of {FAST_BLOCKS} blocks, as in CI.")
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
@click.option("--rpc", metavar="URL", help="Follow this node instead of the development chain, from shortly before its head.")
@click.option("--ws", metavar="URL", help="WebSocket of that node, for hints.")
@click.option("--blocks", type=click.IntRange(min=9), default=240, show_default=True, help="Blocks to advance.")
@click.option("--block-time", type=click.FloatRange(min=0), default=0.1, show_default=True, help="Seconds between blocks.")
@click.option("--txs", type=click.IntRange(1, 500), default=12, show_default=True, help="Transactions in a block, about.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same chain.")
@click.option("--workers", type=click.IntRange(1, 8), default=1, show_default=True, help="Worker processes.")
@click.pass_context
def demo(
    ctx: click.Context,
    *,
    fast: bool,
    keep: bool,
    rpc: str | None,
    ws: str | None,
    blocks: int,
    block_time: float,
    txs: int,
    seed: int,
    workers: int,
) -> None:
    """Run the whole pipeline and check it.

    Starts a broker, a node with scripted agents and reorganisations, the block producer, all stream agents and the gateway;
    shows them live; asks sample questions and checks their proofs; compares every agent's digests with a single-thread fold
    of the canonical chain. Exit code 0 only if all of them agree.

    \b
    Examples:
      monmouth demo
      monmouth demo --fast                        about half a minute
      monmouth demo --keep                        then try: monmouth query ... in another terminal
      monmouth demo --rpc http://127.0.0.1:8545 --blocks 50
    """
    from streams.cli.demo.run import Options, run  # noqa: PLC0415  (the demo imports the whole product)

    for number in (signal.SIGTERM, signal.SIGHUP):  # ends like Ctrl-C: what was started is stopped
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    settings: Settings = ctx.obj
    external = bool(ctx.find_root().params.get("bootstrap"))
    options = Options(FAST_BLOCKS if fast else blocks, block_time, txs, seed, workers, keep, rpc, ws, external)
    sys.exit(0 if asyncio.run(run(settings, options)) else 1)
