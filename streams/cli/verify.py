"""``monmouth verify``: says where stores, published tables, checkpoints or the node differ from the log."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import click
from click.exceptions import Exit
from rich.console import Console

from streams.settings import Settings
from streams.upkeep.difference import Report
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.verify import Sides, verify

console = Console(soft_wrap=True, highlight=False)


@click.command("verify")
@click.option("--partition", type=click.IntRange(min=0), metavar="P", help="This partition alone.")
@click.option("--rpc", metavar="URL", help="Ask this node alone (default: those of the settings).")
@click.option("--no-node", is_flag=True, help="Do not ask a node which blocks are canonical.")
@click.option("--no-stores", is_flag=True, help="Compare what is in topics alone; the stores are elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def verify_command(  # noqa: PLR0917  (click passes options by name)
    settings: Settings, partition: int | None, rpc: str | None, no_node: bool, no_stores: bool, as_json: bool
) -> None:
    """Fold the log, and compare with it stores, tables in topics, local state, checkpoints, published roots, the node.

    Names each difference: which side, whose memory, which block. Exit code 1 if there is one. Workers may go on meanwhile. What
    it cannot compare it says, too.

    \b
    Examples:
      monmouth verify
      monmouth verify --partition 2 --no-node --json
    """
    if partition is not None and partition >= settings.kafka.partitions:
        raise click.UsageError(f"there are {settings.kafka.partitions} partitions, from 0")
    numbers = list(range(settings.kafka.partitions)) if partition is None else [partition]
    report = asyncio.run(_verify(settings, numbers, rpc, node=not no_node, stores=not no_stores))
    _print(report, as_json=as_json)
    if report.differences:
        raise Exit(1)


async def _verify(settings: Settings, numbers: list[int], rpc: str | None, *, node: bool, stores: bool) -> Report:
    from connectors.chain.configured import node_source  # noqa: PLC0415  (keeps --help quick)
    from connectors.stores import open_memory_store, open_vector_store  # noqa: PLC0415
    from streams.vault.sealing import sealed_records  # noqa: PLC0415

    pipeline = open_pipeline(settings)
    async with AsyncExitStack() as stack:
        keys = stack.enter_context(sealed_records(settings))
        memories = vectors = source = None
        if stores:
            memories, vectors = open_memory_store(settings), open_vector_store(settings)
            stack.push_async_callback(memories.close)
            stack.push_async_callback(vectors.close)
        if node:
            source = node_source(settings.chain, rpc, level="header")
            stack.push_async_callback(source.close)
        reader = pipeline.client.reader()
        stack.push_async_callback(reader.close)
        sides = Sides(memories, vectors, keys.leaf_secret, source, settings.state_dir if stores else None)
        return await verify(pipeline, reader, sides, numbers)


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        found = [each.as_json() for each in report.differences]
        said = {"memories": report.memories, "blocks": report.blocks, "records": report.records}
        click.echo(json.dumps(said | {"differences": found, "skipped": report.skipped}))
        return
    for why in report.skipped:
        console.print(f"not compared: {why}", style="dim")
    for each in report.differences:
        console.print(str(each))
    counted = f"{report.records} records, {report.blocks} blocks, {report.memories} memories"
    console.print(f"{counted}: {len(report.differences)} differences" if report.differences else f"{counted}: no difference")
