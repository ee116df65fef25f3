"""What a process looks at in itself, by the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from streams.agents.base import MEMORIES, VECTORS
from streams.ops.health.cascade import Cascade
from streams.ops.health.components import SELVES
from streams.ops.health.monitor import Monitor, Pace
from streams.ops.health.provider import Provider
from streams.ops.health.providers.breakers import Breakers
from streams.ops.health.providers.disk import Disk
from streams.ops.health.providers.folders import Folders
from streams.ops.health.providers.node import Node
from streams.ops.health.providers.resources import Resources
from streams.ops.health.providers.stores import Store
from streams.ops.health.topology import BROKER, DISK, FOLDERS, NODE
from streams.policy import open_on
from streams.ports.chain import NodeLook
from streams.runtime.job import AgentFactory
from streams.settings import HealthSettings, Settings

RESOURCES, BREAKERS, STORES = Resources.name, Breakers.name, "stores"


def store_components(settings: Settings) -> dict[str, str]:
    """Components that the outside stores are, by what stream agents call them."""
    return {
        MEMORIES: "cassandra" if settings.cassandra.contact_points else "memory_store",
        VECTORS: "milvus" if settings.rag.vector_store_url else "vector_store",
    }


def things(settings: Settings) -> frozenset[str]:
    """Components that are looked at and do nothing themselves, so that nobody misses them where nobody looks."""
    stores = store_components(settings).values()
    return frozenset({BROKER, NODE, DISK, FOLDERS, RESOURCES, BREAKERS, *SELVES, *stores})


def pace_of(settings: HealthSettings) -> Pace:
    """How often and how patiently providers are asked."""
    return Pace(
        interval=settings.interval_seconds,
        timeout=settings.timeout_seconds,
        doubt=settings.doubt_seconds,
        fail_after=settings.fail_after,
        recover_after=settings.recover_after,
    )


def local(settings: Settings) -> list[Provider]:
    """Of any process: its disk, its machine, its breakers, its store folders."""
    health = settings.health
    made: dict[str, Provider] = {
        DISK: Disk(settings.state_dir, health.disk_percent, health.disk_failed_percent),
        RESOURCES: Resources(health.cpu_percent, health.memory_percent, health.memory_failed_percent),
        BREAKERS: Breakers(),
        FOLDERS: Folders([settings.state_dir, settings.path(settings.memory.db_path)]),
    }
    return [provider for name, provider in made.items() if name in health.providers]


def of_stores(settings: Settings, factories: Iterable[AgentFactory]) -> list[Provider]:
    """Of a worker: the stores that its stream agents write to."""
    if STORES not in settings.health.providers:
        return []
    names = store_components(settings)
    return [
        Store(names[factory.spec.stores[0]], factory.probe)
        for factory in factories
        if factory.probe is not None and factory.spec.stores
    ]


def of_nodes(settings: Settings, nodes: Sequence[NodeLook]) -> list[Provider]:
    """Of the producer: the nodes that it follows."""
    health = settings.health
    if NODE not in health.providers:
        return []
    return [Node(nodes, settings.chain.chain_id, health.head_seconds, health.head_failed_seconds)]


def cascade(settings: Settings) -> Cascade:
    """Over the breakers of this process."""
    return Cascade(open_on, settings.health.timeout_seconds)


@asynccontextmanager
async def monitored(settings: Settings, *providers: Iterable[Provider]) -> AsyncIterator[Monitor]:
    """A monitor that runs for the block."""
    monitor = Monitor([one for some in providers for one in some], pace_of(settings.health), cascade(settings).told)
    task = asyncio.create_task(monitor.run(), name="health monitor")
    try:
        yield monitor
    finally:
        task.cancel()
        await asyncio.wait([task])


def weights_of(settings: HealthSettings) -> Mapping[str, float]:
    """Weights that the settings give."""
    return {name: max(0.0, weight) for name, weight in settings.criticality.items()}
