"""The parts of one run: topics and state of its own on a shared broker, a node in this process, the product's processes.

A run may be aimed at one stream agent: then the processes called ``worker-...`` run that one alone, and one called ``rest``
runs the others, so that what strikes a worker strikes this stream agent and no other.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from connectors.chain.devchain import DevChain, DevNode
from infra import topics
from infra.broker import LocalBroker
from schemas.codec import Codec, codec, use
from streams.cli.demo.stage import free_port
from streams.master_key import load_or_create_master_key
from streams.settings import ChainSettings, KafkaSettings, RagSettings, Settings
from streams.signing import load_or_create_signer
from tests.chaos.clock import make_clock, watch_of
from tests.chaos.processes import Processes
from tests.chaos.small_disk import small_disk
from tests.checker.events import Event, Kill, Start
from tests.conftest import ROOT
from tests.newer import newer_tree

AGENTS = ("intent", "memory", "embedding", "lattice")
PARTITIONS = 2
WORKERS = 2
MODELS = Path(os.environ.get("MONMOUTH_MODELS") or ROOT / ".monmouth" / "models")
TRANSACTIONS = 6
FINALITY_DEPTH = 24
BEYOND_SESSION = 1.5
"""Times the session timeout that a stopped process stands still, unless told else."""


@dataclass
class Recorder:
    """The operation log of a run. Its clock starts with it."""

    events: list[Event] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def say(self, event: Event) -> None:
        self.events.append(event.model_copy(update={"at": round(time.monotonic() - self.started, 4)}))


@dataclass
class Stage:
    """``target``: the stream agent the run is aimed at, None for all of them. ``ports``: of the metrics of each worker.

    ``gateway``: its address. ``pause``: seconds that a process which is stopped stands still. ``clock``: a file that sets the
    wall clock of the workers, where they run on one that can be set. ``newer``: a checkout of the next version.
    """

    settings: Settings
    broker: LocalBroker
    node: DevNode
    processes: Processes
    recorder: Recorder
    target: str | None = None
    ports: dict[str, int] = field(default_factory=dict)
    gateway: str = ""
    pause: float = BEYOND_SESSION * KafkaSettings().session_timeout_ms / 1000
    clock: Path | None = None
    newer: Path | None = None

    @property
    def struck(self) -> tuple[str, ...]:
        """The stream agents that workers run."""
        return AGENTS if self.target is None else (self.target,)

    def start_worker(self, name: str, agents: Sequence[str] = ()) -> None:
        """``agents``: other ones than the workers of this run have."""
        port = self.ports[name] = free_port(0)
        environment = watch_of(self.clock) if self.clock else {}
        names = ",".join(agents or self.struck)
        self.processes.start(name, "worker", "--agents", names, "--metrics-port", str(port), environment=environment)

    def start_gateway(self) -> None:
        port = free_port(0)
        self.gateway = f"http://127.0.0.1:{port}"
        self.processes.start("gateway", "gateway", "--port", str(port), "--metrics-port", str(free_port(0)))

    async def kill_broker(self) -> None:
        """kill -9, and up again at once."""
        pid = self.broker.pid
        assert pid is not None
        self.recorder.say(Kill(process="broker", fault="kill -9"))
        os.kill(pid, signal.SIGKILL)
        while self.broker.pid is not None:
            await asyncio.sleep(0.05)
        await asyncio.to_thread(self.broker.start)
        assert self.broker.bootstrap == self.settings.kafka.bootstrap
        self.recorder.say(Start(process="broker"))


def make_settings(bootstrap: str, folder: Path, rpc_url: str, ws_url: str) -> Settings:
    return Settings(
        state_dir=folder,
        kafka=KafkaSettings(bootstrap=bootstrap, prefix=f"chaos-{uuid.uuid4().hex[:8]}.", partitions=PARTITIONS),
        chain=ChainSettings(rpc_url=rpc_url, ws_url=ws_url, poll_interval=0.25),
        rag=RagSettings(models_path=MODELS.resolve()),
    )


def environment(settings: Settings) -> dict[str, str]:
    """The settings for the processes."""
    said = {
        "STATE_DIR": settings.state_dir,
        "KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "KAFKA__PREFIX": settings.kafka.prefix,
        "KAFKA__PARTITIONS": settings.kafka.partitions,
        "CHAIN__RPC_URL": settings.chain.rpc_url,
        "CHAIN__WS_URL": settings.chain.ws_url,
        "CHAIN__POLL_INTERVAL": settings.chain.poll_interval,
        "RAG__MODELS_PATH": settings.rag.models_path,
    }
    return {f"MONMOUTH_{name}": str(value) for name, value in said.items()}


@dataclass(frozen=True)
class Needs:
    """What a fault needs of a stage: ``disk``: bytes of a disk of its own for all state; ``clock``: a clock that can be set;
    ``newer``: a checkout of the next version, which this process reads too.
    """

    disk: int = 0
    clock: bool = False
    newer: bool = False


@asynccontextmanager
async def stage(
    broker: LocalBroker, folder: Path, seed: int, target: str | None = None, needs: Needs = Needs()
) -> AsyncIterator[Stage]:
    """Everything started; what was started is stopped. The broker stays. Raises UnavailableError."""
    chain = DevChain(seed, transactions=TRANSACTIONS, finality_depth=FINALITY_DEPTH)
    async with DevNode(chain) as node:
        with small_disk(folder / "state", needs.disk):
            clock = make_clock(folder / "clock") if needs.clock else None
            async with playing(broker, folder, node, target, clock) as at:
                with reading_newer(folder / "newer") if needs.newer else nullcontext() as at.newer:
                    yield at


@contextmanager
def reading_newer(folder: Path) -> Iterator[Path]:
    """A checkout of the next version; meanwhile this process reads what that writes, and writes what this version does."""
    tree, newest = newer_tree(folder), codec().newest
    use(Codec(tree / "schemas", bound=newest))
    try:
        yield tree
    finally:
        use(None)


@asynccontextmanager
async def playing(
    broker: LocalBroker, folder: Path, node: DevNode, target: str | None = None, clock: Path | None = None
) -> AsyncIterator[Stage]:
    """The processes on a node that runs."""
    state = (folder / "state").resolve()
    settings = make_settings(broker.bootstrap, state, node.url, node.ws_url)
    await topics.apply(settings.kafka)
    state.mkdir(parents=True, exist_ok=True)
    load_or_create_signer(settings.path(settings.security.signing_key_file))
    load_or_create_master_key(settings.path(settings.security.master_key_file))
    recorder = Recorder()
    processes = Processes(folder / "logs", environment(settings), recorder.say)
    at = Stage(settings, broker, node, processes, recorder, target, clock=clock)
    try:
        for number in range(WORKERS):
            at.start_worker(f"worker-{number + 1}")
        if rest := [name for name in AGENTS if name not in at.struck]:
            at.start_worker("rest", rest)
        processes.start("producer", "producer")
        at.start_gateway()
        yield at
    finally:
        await asyncio.to_thread(processes.stop)
