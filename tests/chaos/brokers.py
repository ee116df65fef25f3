"""Real brokers, each behind a proxy: clients are told the proxies' ports and have no other way in.

Brokers talk among themselves directly, so that the network between clients and brokers can fail while the cluster is well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from infra.broker import LocalCluster
from tests.chaos.proxy import Network, Proxy
from tests.chaos.small_disk import small_disk
from tests.chaos.unavailable import UnavailableError

PROPERTIES = {"log.cleaner.backoff.ms": "1000"}


@dataclass(frozen=True)
class Brokers:
    """``proxies``: by "broker-1", "broker-2", ... ``disk``: a small one that holds the data of all of them, if there is one."""

    cluster: LocalCluster
    proxies: dict[str, Proxy]
    disk: Path | None = None

    async def settle(self) -> None:
        """Waits until every node is up and in sync, whatever the run before did to it."""
        await Network(self.proxies).heal()
        for node in self.cluster.nodes.values():
            node.resume()
        await asyncio.to_thread(self.cluster.start)
        await self.cluster.in_sync()


@asynccontextmanager
async def brokers(folder: Path, jars: Path, count: int, disk: int = 0) -> AsyncIterator[Brokers]:
    """A cluster in ``folder`` for as long as the block lasts. ``disk``: bytes of a disk of its own, where one can be had."""
    with ExitStack() as stack:
        own = None
        with suppress(UnavailableError):
            stack.enter_context(small_disk(folder, disk))
            own = folder if disk else None
        async with _started(folder, jars, count, own) as found:
            yield found


@asynccontextmanager
async def _started(folder: Path, jars: Path, count: int, disk: Path | None) -> AsyncIterator[Brokers]:
    cluster = LocalCluster(folder, count, jars=jars, properties=PROPERTIES)
    proxies = {number: Proxy(node.member.port) for number, node in cluster.nodes.items()}
    network = Network({f"broker-{number}": proxy for number, proxy in proxies.items()})
    await network.start()
    try:
        cluster.advertise({number: proxy.port for number, proxy in proxies.items()})
        await asyncio.to_thread(cluster.start)
        yield Brokers(cluster, network.proxies, disk)
    finally:
        await asyncio.to_thread(cluster.stop)
        await network.stop()
