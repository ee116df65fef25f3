"""Runs the product's own parts on the topics of a test, waits until they rest, and holds the result against the oracle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from connectors.chain.devchain import DevChain, DevNode, Step
from connectors.chain.devchain.steps import StepKind
from connectors.chain.rpc import RpcSource
from connectors.stores import open_vector_store
from schemas.records import MemoryCommand
from streams.agents.base import LocalState
from streams.agents.embedding import EmbeddingAgent
from streams.cli.demo.observe import Observation, Observer
from streams.cli.producer import build
from streams.cli.wiring import agent_factories
from streams.core.block import BlockRef
from streams.ports.chain import ChainSource
from streams.ports.embedder import Embedder
from streams.ports.stores import VectorStore
from streams.producer.loop import BlockProducer, Progress
from streams.runtime.job import AgentFactory
from streams.runtime.worker import run_worker
from streams.settings import Settings
from streams.signing import load_or_create_signer, load_verifier
from tests.e2e.expected import Expected, expect, faults
from tests.e2e.fake_embedder import HashEmbedder

ALL = ("intent", "memory", "embedding", "lattice", "graph")
PATIENCE = 90.0


async def until(condition: Callable[[], bool], *tasks: asyncio.Task, seconds: float = PATIENCE, what: str = "") -> None:
    """Waits for ``condition``; raises what a task raised that ends before."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        for task in tasks:
            if task.done():
                task.result()
                raise AssertionError(f"{task.get_name()} ended early")
        assert loop.time() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def observing(settings: Settings) -> AsyncIterator[Observation]:
    """The demo's view of the topics, kept up to date meanwhile."""
    observer = Observer(settings.kafka)
    task = asyncio.create_task(observer.run(), name="observer")
    try:
        yield observer.seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def working(
    settings: Settings, names: Sequence[str] = ALL, embedder: Embedder | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """A worker in this process; stopped gracefully, and what it raised is raised. ``embedder``: instead of the model."""
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        factories = _factories(settings, names, stack, embedder)
        task = asyncio.create_task(run_worker(settings, factories, verifier, signer, stop), name="worker")
        try:
            yield task
        finally:
            stop.set()
            await asyncio.wait([task])
        await task


def _factories(
    settings: Settings, names: Sequence[str], stack: AsyncExitStack, embedder: Embedder | None
) -> list[AgentFactory]:
    wired = [name for name in names if name != "embedding" or embedder is None]
    factories = agent_factories(settings, wired, stack)
    if len(wired) < len(names) and embedder is not None:
        vectors, chosen = open_vector_store(settings), embedder
        stack.push_async_callback(vectors.close)
        owned: dict[int, VectorStore] = {}

        async def claim(partition: int) -> bytes:
            owned[partition] = await vectors.claim(f"{settings.kafka.prefix}embedding/{partition}".encode())
            return vectors.identity

        def make(partition: int, state: LocalState) -> EmbeddingAgent:
            return EmbeddingAgent(partition, state, chosen, owned[partition])

        factories.append(AgentFactory(EmbeddingAgent, make, claim=claim))
    return factories


@asynccontextmanager
async def producing(settings: Settings, source: ChainSource) -> AsyncIterator[tuple[BlockProducer, asyncio.Task[Progress]]]:
    """A block producer in this process; what it raised is raised."""
    producer = await build(settings, source)
    task = asyncio.create_task(producer.run(), name="producer")
    try:
        yield producer, task
    finally:
        producer.stop()
        await asyncio.wait([task])
    await task


@dataclass
class Small:
    """A small development chain with a pipeline on it. ``tasks`` end only by an error."""

    settings: Settings
    node: DevNode
    seen: Observation
    tasks: tuple[asyncio.Task, ...]
    names: Sequence[str]

    def advance(self, count: int = 1) -> None:
        """More blocks."""
        for _ in range(count):
            for _ in self.node.apply(Step(StepKind.ADVANCE)):
                pass

    async def agree(self, commands: Iterable[MemoryCommand] = ()) -> Expected:
        """Waits for rest and compares everything."""
        source = RpcSource(self.node.url, level="header")
        try:
            head = await source.head()
            await rest(self.seen, head, self.names, *self.tasks)
            return await agree(self.settings, source, head, self.names, embedder=HashEmbedder(), commands=commands, seconds=30)
        finally:
            await source.close()


@asynccontextmanager
async def small(settings: Settings, names: Sequence[str] = ALL, blocks: int = 5) -> AsyncIterator[Small]:
    """Node, producer and worker in this process; what a task raises is raised at the end."""
    async with DevNode(DevChain(7, agents=6, transactions=5)) as node, observing(settings) as seen:
        settings.chain.rpc_url, settings.chain.poll_interval = node.url, 0.1
        source = RpcSource(node.url, node.ws_url, level="senders")
        try:
            async with (
                producing(settings, source) as (_, producer),
                working(settings, names, HashEmbedder()) as worker,
            ):
                pipeline = Small(settings, node, seen, (producer, worker), names)
                pipeline.advance(blocks)
                yield pipeline
        finally:
            await source.close()


async def rest(
    seen: Observation, head: BlockRef, names: Sequence[str], *tasks: asyncio.Task, seconds: float = PATIENCE
) -> None:
    """Waits until the log ends in ``head`` and every stream agent has settled all of it."""

    def rested() -> bool:
        return seen.head is not None and seen.head.hash == head.hash and all(seen.lag(name) == 0 for name in names)

    what = f"rest at {head}"
    try:
        await until(rested, *tasks, seconds=seconds, what=what)
    except AssertionError as error:
        lags = {name: seen.lag(name) for name in names}
        raise AssertionError(f"{error}; the log is at {seen.head}, steps behind: {lags}") from None


async def agree(
    settings: Settings,
    source: ChainSource,
    head: BlockRef,
    names: Sequence[str],
    *,
    embedder: Embedder | None = None,
    commands: Iterable[MemoryCommand] = (),
    seconds: float = 10.0,
) -> Expected:
    """Asserts that all outputs are those of the oracle. A commit is visible in one partition a moment before the next one."""
    expected = await expect(source, settings, head, list(commands))
    assert expected.world.count == len(expected.live)
    await eventually(lambda: faults(settings, expected, names, embedder), seconds)
    return expected


async def eventually(look: Callable[[], Awaitable[list[str]]], seconds: float) -> None:
    """Asserts that ``look`` comes to find no fault."""
    deadline = asyncio.get_running_loop().time() + seconds
    while found := await look():
        assert asyncio.get_running_loop().time() < deadline, "\n".join(found[:10])
        await asyncio.sleep(0.3)
