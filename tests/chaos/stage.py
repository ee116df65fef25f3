"""The parts of one run: topics and state of its own on shared brokers, a node of its own, the product's processes.

The product reaches brokers and node through proxies only, so that the network can be at fault.
A run may be aimed at one stream agent: then the processes called ``worker-...`` run that one alone, and one called ``rest``
runs the others, so that what strikes a worker strikes this stream agent and no other.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from infra import topics
from infra.broker import LocalCluster
from infra.broker.ports import free_port
from schemas.codec import Codec, codec, use
from streams import topics as topic_map
from streams.settings import ChainSettings, KafkaSettings, RagSettings, Settings
from streams.signing import load_or_create_signer
from streams.vault.sealing import sealed_records
from tests.chaos.brokers import Brokers
from tests.chaos.clock import make_clock, watch_of
from tests.chaos.node import ChainNode, MakeNode
from tests.chaos.processes import Processes
from tests.chaos.proxy import HOST, Network, Proxy
from tests.chaos.small_disk import small_disk
from tests.chaos.unavailable import UnavailableError
from tests.checker.events import Event, Kill, Start
from tests.conftest import ROOT
from tests.newer import newer_tree

AGENTS = ("intent", "memory", "embedding", "lattice", "graph")
PARTITIONS = 2
WORKERS = 2
MODELS = Path(os.environ.get("MONMOUTH_MODELS") or ROOT / ".monmouth" / "models")
BEYOND_SESSION = 1.5
"""Times the session timeout that a stopped process stands still, most of the time."""
LONG_SECONDS = 60.0
"""The other times: longer than the transaction timeout too."""
LONG_SHARE = 0.25


@dataclass
class Recorder:
    """The operation log of a run. Its clock starts with it."""

    events: list[Event] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def say(self, event: Event) -> None:
        self.events.append(event.model_copy(update={"at": round(time.monotonic() - self.started, 4)}))


@dataclass
class Stage:
    """``network``: "broker-1", ... and "node". ``target``: the stream agent the run is aimed at, None for all of them.

    ``ports``: of the metrics of each worker. ``gateway``: its address. ``pause``: seconds that a stopped process stands still;
    None: drawn. ``clock``: a file that sets the wall clock of the workers, where they run on one that can be set. ``newer``: a
    checkout of the next version. ``brokers_disk``: the small disk that the brokers' data are on, if they are.
    """

    settings: Settings
    cluster: LocalCluster
    network: Network
    node: ChainNode
    processes: Processes
    recorder: Recorder
    target: str | None = None
    ports: dict[str, int] = field(default_factory=dict)
    gateway: str = ""
    pause: float | None = None
    clock: Path | None = None
    newer: Path | None = None
    brokers_disk: Path | None = None

    def still(self, random: Random) -> float:
        """Seconds that a process is stopped: longer than its session, or longer than any client waits for an answer."""
        session = BEYOND_SESSION * KafkaSettings().session_timeout_ms / 1000
        drawn = LONG_SECONDS if random.random() < LONG_SHARE else session
        return drawn if self.pause is None else self.pause

    @property
    def struck(self) -> tuple[str, ...]:
        """The stream agents that workers run."""
        return AGENTS if self.target is None else (self.target,)

    def start_worker(self, name: str, agents: Sequence[str] = ()) -> None:
        """``agents``: other ones than the workers of this run have."""
        port = self.ports[name] = free_port()
        environment = watch_of(self.clock) if self.clock and not agents else {}
        names = ",".join(agents or self.struck)
        self.processes.start(name, "worker", "--agents", names, "--metrics-port", str(port), environment=environment)

    def start_gateway(self) -> None:
        port = free_port()
        self.gateway = f"http://127.0.0.1:{port}"
        self.processes.start("gateway", "gateway", "--port", str(port), "--metrics-port", str(free_port()))

    async def kill_brokers(self) -> None:
        """kill -9 of all, and up again at once."""
        for number, node in self.cluster.nodes.items():
            self.say_kill(number, "kill -9")
            await asyncio.to_thread(node.kill)
        await asyncio.to_thread(self.cluster.start)
        for number in self.cluster.nodes:
            self.say_start(number)

    def say_kill(self, broker: int, fault: str) -> None:
        """A fault strikes a broker."""
        self.recorder.say(Kill(process=f"broker-{broker}", fault=fault))

    def say_start(self, broker: int) -> None:
        """A broker serves again."""
        self.recorder.say(Start(process=f"broker-{broker}"))


def make_settings(cluster: LocalCluster, folder: Path, rpc_url: str, ws_url: str) -> Settings:
    return Settings(
        state_dir=folder,
        kafka=KafkaSettings(
            bootstrap=cluster.bootstrap,
            prefix=f"chaos-{uuid.uuid4().hex[:8]}.",
            partitions=PARTITIONS,
            replication=cluster.replication,
        ),
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
        "KAFKA__REPLICATION": settings.kafka.replication,
        "CHAIN__RPC_URL": settings.chain.rpc_url,
        "CHAIN__WS_URL": settings.chain.ws_url,
        "CHAIN__POLL_INTERVAL": settings.chain.poll_interval,
        "RAG__MODELS_PATH": settings.rag.models_path,
    }
    return {f"MONMOUTH_{name}": str(value) for name, value in said.items()}


@dataclass(frozen=True)
class Needs:
    """What a fault needs of a stage: ``disk``: bytes of a disk of its own for all state; ``clock``: a clock that can be set;
    ``newer``: a checkout of the next version, which this process reads too; ``brokers_disk``: bytes of the brokers' own disk.
    """

    disk: int = 0
    clock: bool = False
    newer: bool = False
    brokers_disk: int = 0


@asynccontextmanager
async def stage(
    brokers: Brokers, make_node: MakeNode, folder: Path, seed: int, target: str | None = None, needs: Needs = Needs()
) -> AsyncIterator[Stage]:
    """Everything started; what was started is stopped. The brokers stay. Raises UnavailableError."""
    if needs.brokers_disk and brokers.disk is None:
        raise UnavailableError("the brokers need a small disk of their own, for which a tmpfs must be mounted")
    await brokers.settle()
    async with make_node(seed) as node, Proxy(port_of(node.url)) as proxy:
        with small_disk(folder / "state", needs.disk):
            clock = make_clock(folder / "clock") if needs.clock else None
            async with playing(brokers, folder, node, proxy, target, clock) as at:
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
    brokers: Brokers, folder: Path, node: ChainNode, proxy: Proxy, target: str | None = None, clock: Path | None = None
) -> AsyncIterator[Stage]:
    """The processes on a node that runs, behind ``proxy``."""
    state = (folder / "state").resolve()
    address = f"{HOST}:{proxy.port}"
    settings = make_settings(brokers.cluster, state, f"http://{address}", f"ws://{address}")
    await topics.apply(settings.kafka)
    state.mkdir(parents=True, exist_ok=True)
    load_or_create_signer(settings.path(settings.security.signing_key_file))
    sealing = ExitStack()
    sealing.enter_context(sealed_records(settings))
    recorder = Recorder()
    processes = Processes(folder / "logs", environment(settings), recorder.say)
    network = Network({**brokers.proxies, "node": proxy})
    at = Stage(settings, brokers.cluster, network, node, processes, recorder, target, clock=clock, brokers_disk=brokers.disk)
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
        await forget(settings.kafka)
        sealing.close()


async def forget(kafka: KafkaSettings) -> None:
    """Deletes the topics of a run: brokers that serve hundreds of runs would else hold all of them."""
    with suppress(KafkaError, OSError, TimeoutError):
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([topic_map.physical(kafka.prefix, name) for name in topic_map.TOPICS])
        finally:
            await admin.close()


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
