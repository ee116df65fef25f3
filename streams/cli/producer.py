"""``monmouth producer``: wires a chain source, the log and the signing key to the block producer."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import click

from connectors.chain.archive import open_archive
from connectors.chain.configured import node_source
from connectors.chain.newest import NewestBlock
from connectors.chain.rpc import RpcSource
from streams import loops
from streams.cli.measured import measured, metrics_port_option
from streams.collector import relax_collector
from streams.health import Health, Look, watch
from streams.ops.health.looks import local, monitored, of_nodes
from streams.ops.reporter import reporting, this_process
from streams.outage import Outage
from streams.ports.chain import ChainSource
from streams.producer.identity import identify
from streams.producer.kafka_log import KafkaLog
from streams.producer.loop import BlockProducer, Progress
from streams.producer.records import Stager, parse_agents
from streams.settings import PRODUCER, Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.tracing import traced

MAINNET = 1
_log = logging.getLogger(__name__)


def open_source(settings: Settings, history: Path | None, siblings: bool) -> ChainSource:
    """The node of the settings, or the archive at ``history``."""
    chain = settings.chain
    if history is not None:
        return open_archive(history, chain.chain_id or MAINNET, chain.verify, siblings=siblings)
    return node_source(chain, hints=True)


def newest_blocks(settings: Settings) -> list[NewestBlock]:
    """Looks at each node of the settings."""
    chain = settings.chain
    return [NewestBlock(url, allow_unencrypted=chain.allow_unencrypted) for url in (chain.rpc_url, *chain.rpc_urls)]


async def build(
    settings: Settings,
    source: ChainSource,
    *,
    once: bool = False,
    until: int | None = None,
    waiting: Callable[[str], None] | None = None,
) -> BlockProducer:
    """A producer on the Kafka of the settings, ready to run. ``waiting``: as in ``identify``."""
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    agents = parse_agents(settings.chain.agents)
    chain_id = await identify(source, settings.chain, waiting)
    return BlockProducer(
        source,
        KafkaLog(settings, chain_id, verifier),
        Stager(chain_id, settings.kafka.partitions, signer, agents),
        settings.chain,
        chain_id,
        once=once,
        until=until,
    )


async def publish(
    settings: Settings, source: ChainSource, *, once: bool = False, until: int | None = None, health: Health | None = None
) -> Progress | None:
    """Runs the producer until it is done or the process is told to stop; None if that was before its node had answered.

    Closes the source. ``health`` is kept true.
    """
    loop = asyncio.get_running_loop()
    started: BlockProducer | None = None
    outage = Outage(_log)
    complaint = "asks the node which chain it serves"

    def waiting(said: str) -> None:
        nonlocal complaint
        complaint = f"waits for its node: {said}"
        outage.failed(said)

    def look() -> Look:
        return Look(False, (complaint,)) if started is None else started.look()

    async with AsyncExitStack() as stack:
        stack.push_async_callback(source.close)
        stack.enter_context(traced(settings, PRODUCER, this_process()))
        if health is not None:
            stack.callback(asyncio.create_task(watch(health, look)).cancel)
            nodes = of_nodes(settings, newest_blocks(settings)) if isinstance(source, RpcSource) else []
            monitor = await stack.enter_async_context(monitored(settings, local(settings), nodes))
            as_producer = settings.kafka.as_role(PRODUCER)
            await stack.enter_async_context(reporting(settings, as_producer, PRODUCER, health, monitor=monitor))
        patient = not once and until is None and not source.eager
        building = asyncio.create_task(build(settings, source, once=once, until=until, waiting=waiting if patient else None))
        stopped = asyncio.Event()

        def stop() -> None:
            if health is not None:
                health.stopping()
            stopped.set()
            building.cancel()
            if started is not None:
                started.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        try:
            await asyncio.wait([building])
            if building.cancelled():
                return None
            running = started = building.result()
            outage.over()
            if stopped.is_set():
                running.stop()
            return await running.run()
        finally:
            building.cancel()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


@click.command()
@click.option("--rpc", metavar="URL", help="JSON-RPC of the node (default: chain.rpc_url).")
@click.option("--ws", metavar="URL", help="WebSocket of the node, for hints (default: chain.ws_url).")
@click.option("--history", type=click.Path(path_type=Path), help="Read an era1 or dump file or folder instead of a node.")
@click.option("--siblings/--no-siblings", default=True, help="era1: deliver uncles before the block that won (default: yes).")
@click.option("--once", is_flag=True, help="Stop when the log has caught up with the node.")
@click.option("--until", type=click.IntRange(min=0), metavar="N", help="Stop when block N is in the log.")
@metrics_port_option
@click.pass_obj
def producer(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    rpc: str | None,
    ws: str | None,
    history: Path | None,
    siblings: bool,
    once: bool,
    until: int | None,
    metrics_port: int | None,
) -> None:
    """Publish the blocks of a node, or of history files, to chain.blocks and chain.transactions.

    \b
    Goes on where the log ends. One producer a chain: a second one takes over and the first stops. A node that does not answer
    is waited for, unless it is to stop by itself (--once, --until).
    An address that holds a key belongs in MONMOUTH_CHAIN__RPC_URL, not on the command line.

    \b
    Examples:
      monmouth producer --rpc http://127.0.0.1:8545 --ws ws://127.0.0.1:8546
      monmouth producer --once                      catch up with the node, then stop
      monmouth producer --history era1/             real mainnet blocks from archives
    """
    settings.chain.rpc_url = rpc or settings.chain.rpc_url
    settings.chain.ws_url = ws or settings.chain.ws_url
    relax_collector()
    health = Health(settings.probes.live_seconds)
    with measured(settings, metrics_port, health):
        source = open_source(settings, history, siblings)
        done = loops.run(publish(settings, source, once=once, until=until, health=health))
    if done is None:
        click.echo("stopped before its node had answered")
        return
    click.echo(
        f"{done.blocks} blocks, {done.transactions} transactions, {done.records} records, "
        f"{done.reorgs} reorgs that lost {done.conflicts} transactions; "
        f"the log is at {done.view.tip or 'no block'}"
    )
