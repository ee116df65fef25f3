"""A supervisor over real processes, a producer, workers, and a gateway where a fault needs one, on a development chain and a
real broker.

Assumes topics that exist. Whether the pipeline got on is read from the log, and not from what the supervisor says of it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psutil

from connectors.chain.devchain import DevChain
from connectors.chain.devchain.steps import Step, StepKind
from infra.broker.ports import free_port
from infra.milvus import LocalMilvus
from streams.cli.supervise import FOLDER, programs_of
from streams.core.checkpoint import TIP
from streams.ops.recovery.decide import Action
from streams.ops.recovery.incidents import Limits
from streams.ops.recovery.programs import Programs
from streams.ops.recovery.strategies import Strategies
from streams.ops.recovery.supervisor import Supervisor
from streams.ops.recovery.watched import Patience
from streams.runtime.checkpoints import read_checkpoints
from streams.settings import Settings
from streams.signing import load_or_create_signer
from streams.switches import FILE
from streams.upkeep.pipeline import Pipeline, open_pipeline
from tests.chaos.node import FINALITY_DEPTH, DevelopmentNode
from tests.chaos.stage import environment

AGENTS = ("intent", "graph")
PATIENCE = Patience(look=0.5, start=60, hung=4, stuck=20, steady=1, heal=25)
LIMITS = Limits(patience=12, pause=1)
ADVANCE = Step(StepKind.ADVANCE)


def vectors_in(settings: Settings, milvus: LocalMilvus) -> dict[str, str]:
    """What the processes are told of the server, and of the gateway's address."""
    settings.gateway.port, settings.gateway.metrics_port = free_port(), free_port()
    settings.rag.vector_store_url = milvus.url
    return {
        "MONMOUTH_RAG__VECTOR_STORE_URL": milvus.url,
        "MONMOUTH_RAG__VECTOR_COLLECTION": f"recovery_{uuid.uuid4().hex[:8]}",
        "MONMOUTH_GATEWAY__PORT": str(settings.gateway.port),
    }


@dataclass
class Scene:
    """``outcomes``: (strategy, target, outcome) of all that the supervisor did."""

    settings: Settings
    node: DevelopmentNode
    programs: Programs
    supervisor: Supervisor
    pipeline: Pipeline
    agents: Sequence[str] = AGENTS
    milvus: LocalMilvus | None = None
    outcomes: list[tuple[str, str, str]] = field(default_factory=list)

    async def grow(self, blocks: int) -> None:
        await self.node.play([ADVANCE] * blocks, 0.05)

    def process(self, name: str) -> psutil.Process:
        running = self.programs.all[name].process
        assert running is not None
        return psutil.Process(running.pid)

    async def until(self, condition: Callable[[], bool], seconds: float = 120.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.1)

    async def outcome(self, strategy: str, target: str, outcome: str, seconds: float = 150.0) -> None:
        """Waits until that is what came of it."""
        try:
            await self.until(lambda: (strategy, target, outcome) in self.outcomes, seconds)
        except TimeoutError:
            raise AssertionError(f"no {outcome} {strategy} of {target} but {self.outcomes}") from None

    async def heights(self) -> dict[tuple[str, int], int]:
        """What each stream agent's partition has committed, from the log."""
        reader = self.pipeline.client.reader()
        try:
            tips = {
                (agent, number): (await read_checkpoints(reader, agent, number)).get(TIP)
                for agent in self.agents
                for number in range(self.pipeline.partitions)
            }
        finally:
            await reader.close()
        return {place: -1 if tip is None else tip.at.block.number for place, tip in tips.items()}

    async def caught_up(self, but: tuple[str, int] | None = None, seconds: float = 90.0) -> None:
        """Waits until all partitions, but for one, have committed the chain's head."""
        found: dict[tuple[str, int], int] = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = await self.heights()
                    if all(height == self.node.head.number for place, height in found.items() if place != but):
                        return
                    await asyncio.sleep(0.3)
        except TimeoutError:
            raise AssertionError(f"the chain is at {self.node.head.number}, and committed is {found}") from None


@dataclass(frozen=True, slots=True)
class Cast:
    """What runs. ``milvus``: the server that vectors are kept in, and then a gateway runs too. ``patience`` None: the usual."""

    agents: Sequence[str] = AGENTS
    workers: int = 2
    milvus: LocalMilvus | None = None
    patience: Patience | None = None


USUAL_CAST = Cast()


@asynccontextmanager
async def scene(settings: Settings, seed: int = 1, limits: Limits = LIMITS, cast: Cast = USUAL_CAST) -> AsyncIterator[Scene]:
    """All of it running and caught up; what was started is stopped. Topics exist."""
    async with DevelopmentNode(DevChain(seed, transactions=6, finality_depth=FINALITY_DEPTH)) as node:
        settings.chain.rpc_url, settings.chain.ws_url = node.url, node.url.replace("http", "ws", 1)
        settings.chain.poll_interval = 0.25
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        load_or_create_signer(settings.path(settings.security.signing_key_file))
        said = environment(settings) | {"MONMOUTH_KAFKA__SESSION_TIMEOUT_MS": str(settings.kafka.session_timeout_ms)}
        if cast.milvus is not None:
            said |= vectors_in(settings, cast.milvus)
        gateway = cast.milvus is not None
        listed = programs_of(settings, ",".join(cast.agents), cast.workers, producer=True, gateway=gateway)
        for program in listed:
            program.environment = {**program.environment, **said}
        programs = Programs(settings.path(FOLDER), listed)
        session, window = settings.kafka.session_timeout_ms / 1000, settings.reorg.window
        strategies = Strategies(programs, settings.path(FILE), lambda: open_pipeline(settings), session, window)
        supervisor = Supervisor(programs, strategies, limits, cast.patience or PATIENCE)
        at = Scene(settings, node, programs, supervisor, open_pipeline(settings), cast.agents, cast.milvus)

        def told(action: Action, outcome: str) -> None:
            at.outcomes.append((action.strategy, action.target, outcome))

        supervisor.told = told
        stop = asyncio.Event()
        running = asyncio.create_task(supervisor.run(stop))
        try:
            await at.grow(4)
            await at.caught_up()
            yield at
        finally:
            stop.set()
            await running
