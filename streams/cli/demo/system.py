"""A whole pipeline on this machine that a demo acts on: its node, its processes, what its topics say, its clients.

Assumes the node moves only when it is told to (the development chain), or is somebody else's. Invariants: what was started is
gone when the context ends; whatever ended by itself, a process or the reading of the topics, is raised at the next ``tick``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from connectors.chain.devchain import DevChain, DevNode, Step, StepKind
from connectors.chain.rpc import RpcSource
from connectors.stores import open_memory_store
from infra.broker.ports import free_port
from streams.cli.demo.check import Verdict, commanded, compare
from streams.cli.demo.observe import Observation, Observer
from streams.cli.demo.processes import Children
from streams.cli.demo.stage import Say, Stage, environment, in_chain_time, make_topics, stage
from streams.errors import Category, MonmouthError, Severity
from streams.identity.operator import load_or_create_token, token_for
from streams.serving.client import AsyncClient, Client
from streams.serving.client_errors import GatewayError
from streams.settings import Settings
from streams.signing import load_or_create_signer

AGENTS = ("intent", "memory", "embedding", "lattice", "graph")
PRODUCER, GATEWAY = "producer", "gateway"
DRAIN_SECONDS = 180.0


class DemoError(MonmouthError):
    """The pipeline did not come to rest."""

    category = Category.PROCESSING
    severity = Severity.HIGH


@dataclass(slots=True)
class System:
    """``watch``: called at each tick. ``metrics``: where each process that was started serves its metrics, by name."""

    stage: Stage
    node: DevNode | None
    children: Children
    seen: Observation
    tail: asyncio.Task[None]
    watch: Callable[[], None] = lambda: None
    metrics: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """What all its processes run with."""
        return self.stage.settings

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://{self.settings.gateway.host}:{self.settings.gateway.port}"

    @property
    def chain(self) -> DevChain:
        """The development chain."""
        assert self.node is not None
        return self.node.chain

    def client(self) -> Client:
        """One that blocks, with the operator's token."""
        return Client(self.url, token=token_for(self.settings, self.url))

    def async_client(self, timeout: float = 30.0) -> AsyncClient:
        """One that does not."""
        return AsyncClient(self.url, timeout, token=token_for(self.settings, self.url))

    def start_worker(self, name: str) -> None:
        """One more worker, with all stream agents."""
        self._start(name, "worker", "--agents", ",".join(AGENTS))

    def start_producer(self) -> None:
        """The block producer."""
        self._start(PRODUCER, PRODUCER)

    def start_gateway(self) -> None:
        """The gateway; it answers a few seconds later."""
        gateway = self.settings.gateway
        self.metrics[GATEWAY] = f"http://{gateway.metrics_host}:{gateway.metrics_port}/metrics"
        self.children.start(GATEWAY, GATEWAY)

    def _start(self, name: str, *command: str) -> None:
        """Under a name it had before it serves its metrics where it did."""
        address = self.metrics.setdefault(name, f"http://127.0.0.1:{free_port()}/metrics")
        self.children.start(name, *command, "--metrics-port", str(urlsplit(address).port))

    def advance(self, blocks: int = 1) -> None:
        """More blocks."""
        for _ in range(blocks):
            self._apply(Step(StepKind.ADVANCE))

    def reorg(self, depth: int) -> None:
        """A branch one block longer wins over the newest ``depth`` blocks."""
        self._apply(Step(StepKind.REORG, depth))

    def _apply(self, step: Step) -> None:
        assert self.node is not None
        for _ in self.node.apply(step):
            pass

    def check(self) -> None:
        """Raises what ended a process or the reading of the topics."""
        self.children.check()
        if self.tail.done():
            self.tail.result()

    def lag(self) -> int:
        """Steps the slowest stream agent is behind."""
        return max(self.seen.lag(agent) for agent in AGENTS)

    async def tick(self) -> None:
        """Looks at everything, and gives it a moment."""
        self.check()
        self.watch()
        await asyncio.sleep(0.1)

    async def rest(self, head: bytes | None = None) -> None:
        """Waits until the log ends in ``head`` (if given) and every stream agent has caught up. Raises DemoError."""
        deadline, seen = time.monotonic() + DRAIN_SECONDS, self.seen
        while True:
            await self.tick()
            if seen.head is not None and head in (None, seen.head.hash) and self.lag() == 0:
                await asyncio.sleep(0.5)  # roots of the same transaction are on their way
                if self.lag() == 0 and head in (None, seen.head.hash):
                    return
            if time.monotonic() > deadline:
                behind = ", ".join(f"{agent} {seen.lag(agent)}" for agent in AGENTS)
                raise DemoError(
                    f"the pipeline did not come to rest within {DRAIN_SECONDS:.0f} s (log at {seen.head}; "
                    f"steps behind: {behind})",
                    f"Logs of all processes: {self.children.logs}",
                )

    async def settle(self) -> None:
        """Waits until all have taken in the chain as it is now."""
        await self.rest(self.chain.head.hash)

    async def compare(self) -> Verdict:
        """An independent fold of the node's chain against what the pipeline has published. At rest only."""
        assert self.seen.head is not None
        source = RpcSource(self.settings.chain.rpc_url, None, level="header")
        store = open_memory_store(self.settings)
        try:
            commands = await commanded(self.settings)
            return await compare(source, self.settings, self.seen.head, dict(self.seen.roots), store, commands)
        finally:
            await source.close()
            await store.close()

    async def answering(self) -> None:
        """Waits until the gateway is ready. Raises DemoError."""
        deadline = time.monotonic() + DRAIN_SECONDS
        async with self.async_client() as client:
            while time.monotonic() < deadline:
                await self.tick()
                try:
                    if (await client.ready()).ready:
                        return
                except GatewayError:
                    continue
        raise DemoError(f"the gateway did not become ready within {DRAIN_SECONDS:.0f} s", f"Logs: {self.children.logs}")


@asynccontextmanager
async def started(setting: Stage, node: DevNode | None, workers: int) -> AsyncIterator[System]:
    """Topics and processes on a stage; they end with the context."""
    settings = setting.settings
    await make_topics(settings)
    load_or_create_signer(settings.path(settings.security.signing_key_file))  # one key for all, made before they race for it
    load_or_create_token(settings.path(settings.security.partner_token_file), "partner token")
    observer = Observer(settings.kafka)
    children = Children(settings.state_dir / "logs", setting.environment)
    tail = asyncio.create_task(observer.run())
    system = System(setting, node, children, observer.seen, tail)
    try:
        for number in range(workers):
            system.start_worker(f"worker-{number + 1}")
        system.start_gateway()
        system.start_producer()
        yield system
    finally:
        tail.cancel()
        await asyncio.gather(tail, return_exceptions=True)
        await asyncio.to_thread(children.stop)


@asynccontextmanager
async def deployed(base: Settings, chain: DevChain, *, workers: int, external_kafka: bool, say: Say) -> AsyncIterator[System]:
    """A pipeline on ``chain`` with a node, a stage and processes of its own, its gateway ready."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(DevNode(chain, port=0))
        setting = stack.enter_context(stage(in_chain_time(base), node.url, node.ws_url, external_kafka=external_kafka, say=say))
        system = await stack.enter_async_context(started(setting, node, workers))
        await system.answering()
        yield system


@asynccontextmanager
async def beside(first: System, name: str, workers: int = 1) -> AsyncIterator[System]:
    """A second deployment of the same chain: topics, keys, stores and processes of its own, on the same broker."""
    settings = first.settings.model_copy(deep=True)
    settings.state_dir = first.settings.state_dir / name
    settings.kafka.prefix = f"{first.settings.kafka.prefix}{name}."
    settings.gateway.port, settings.gateway.metrics_port = free_port(), free_port()
    settings.state_dir.mkdir(parents=True)
    setting = replace(first.stage, settings=settings, environment=environment(settings))
    async with started(setting, first.node, workers) as second:
        await second.answering()
        yield second
