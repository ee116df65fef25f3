"""``monmouth demo``: the whole pipeline on one machine, on a chain that reorganises, checked against an independent fold."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from streams.settings import Settings

if TYPE_CHECKING:
    from streams.cli.demo.play import Show

F = TypeVar("F", bound=Callable[..., Any])

FAST_BLOCKS = 45


@click.group(invoke_without_command=True)
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
      monmouth demo integrated --report report.md

    The other demos have options of their own.
    """
    if ctx.invoked_subcommand is not None:
        _nothing_said(ctx)
        return
    from streams.cli.demo.run import Options, run  # noqa: PLC0415  (the demo imports the whole product)

    _end_like_interrupted()
    settings: Settings = ctx.obj
    options = Options(FAST_BLOCKS if fast else blocks, block_time, txs, seed, workers, keep, rpc, ws, _external(ctx))
    sys.exit(0 if asyncio.run(run(settings, options)) else 1)


def _end_like_interrupted() -> None:
    """What was started is stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))


def _external(ctx: click.Context) -> bool:
    """Whether a Kafka was named."""
    return bool(ctx.find_root().params.get("bootstrap"))


def _nothing_said(ctx: click.Context) -> None:
    """Refuses options that would be ignored."""
    for name in ctx.params:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} belongs behind the name of the demo, if it has one: {ctx.invoked_subcommand}")


def _part_options(command: F) -> F:
    for option in (
        click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same chain."),
        click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write a report in Markdown here."),
        click.option("--fast", is_flag=True, help="A short run, as in CI."),
    ):
        command = option(command)
    return command


@demo.command("integrated")
@_part_options
@click.option("--seconds", type=click.FloatRange(min=1), metavar="N", help="Of traffic (default: 300, or 6 with --fast).")
@click.pass_context
def integrated_command(ctx: click.Context, *, fast: bool, report: Path | None, seed: int, seconds: float | None) -> None:
    """Fifteen agents on a busy chain.

    Ten transactions a second, then thirty while agents ask; a worker is killed; three blocks are undone; every agent recalls,
    decides, remembers, proves and tells; at the end an independent fold of the chain must agree. Exit code 0 only if all held.

    \b
    Examples:
      monmouth demo integrated --fast
      monmouth demo integrated --report report.md
      monmouth demo integrated --seconds 600 --seed 7
    """
    from streams.cli.demo import integrated as parts  # noqa: PLC0415  (as above)

    _played(ctx, parts.integrated(seconds or (parts.FAST_SECONDS if fast else parts.SECONDS)), fast, report, seed)


@demo.command("performance")
@_part_options
@click.pass_context
def performance_command(ctx: click.Context, *, fast: bool, report: Path | None, seed: int) -> None:
    """What makes it quick, and keeps it up.

    Batches, throughput, cache; unreadable records, a node that goes away, a worker that is killed; metrics, alerts, health.
    Each part acts on the running pipeline and checks what came of it. Exit code 0 only if all held.

    \b
    Examples:
      monmouth demo performance --fast
      monmouth demo performance --report report.md
    """
    from streams.cli.demo.performance import performance as show  # noqa: PLC0415

    _played(ctx, show(fast=fast), fast, report, seed)


@demo.command("sync")
@_part_options
@click.pass_context
def sync_command(ctx: click.Context, *, fast: bool, report: Path | None, seed: int) -> None:
    """States: asked for, gone back to, reorganised, compared.

    Six questions about a state over messages, checkpoints and recovery, a reorganisation, and a second deployment of the chain
    that is damaged, found out and mended. Exit code 0 only if all held.

    \b
    Examples:
      monmouth demo sync --fast
      monmouth demo sync --report report.md
    """
    from streams.cli.demo.synchronising import synchronising as show  # noqa: PLC0415

    _played(ctx, show(fast=fast), fast, report, seed)


def _played(ctx: click.Context, show: Show, fast: bool, report: Path | None, seed: int) -> None:
    from streams.cli.demo.play import Wanted, play  # noqa: PLC0415  (as above)

    _end_like_interrupted()
    wanted = Wanted(fast, seed, report, _external(ctx))
    sys.exit(0 if asyncio.run(play(show, ctx.obj, wanted)) else 1)
