"""The parts of one run: topics and state of its own on shared brokers, a node of its own, the product's processes.

The product reaches brokers and node through proxies only, so that the network can be at fault.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from infra import topics
from infra.broker import LocalCluster
from streams.cli.demo.stage import free_port
from streams.master_key import load_or_create_master_key
from streams.settings import ChainSettings, KafkaSettings, Settings
from streams.signing import load_or_create_signer
from tests.chaos.brokers import Brokers
from tests.chaos.node import ChainNode, MakeNode
from tests.chaos.processes import Processes
from tests.chaos.proxy import HOST, Network, Proxy
from tests.checker.events import Event, Kill, Start

AGENTS = ("intent", "memory", "lattice")
PARTITIONS = 2
WORKERS = 2


@dataclass
class Recorder:
    """The operation log of a run. Its clock starts with it."""

    events: list[Event] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def say(self, event: Event) -> None:
        self.events.append(event.model_copy(update={"at": round(time.monotonic() - self.started, 4)}))


@dataclass
class Stage:
    """``network``: "broker-1", ... and "node". ``ports``: of the metrics of each process."""

    settings: Settings
    cluster: LocalCluster
    network: Network
    node: ChainNode
    processes: Processes
    recorder: Recorder
    ports: dict[str, int] = field(default_factory=dict)

    def start_worker(self, name: str) -> None:
        port = self.ports[name] = free_port(0)
        self.processes.start(name, "worker", "--agents", ",".join(AGENTS), "--metrics-port", str(port))

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
    }
    return {f"MONMOUTH_{name}": str(value) for name, value in said.items()}


@asynccontextmanager
async def stage(brokers: Brokers, make_node: MakeNode, folder: Path, seed: int) -> AsyncIterator[Stage]:
    """Everything started; what was started is stopped. The brokers stay."""
    await brokers.settle()
    async with make_node(seed) as node, Proxy(port_of(node.url)) as proxy:
        address = f"{HOST}:{proxy.port}"
        settings = make_settings(brokers.cluster, folder.resolve(), f"http://{address}", f"ws://{address}")
        await topics.apply(settings.kafka)
        folder.mkdir(parents=True, exist_ok=True)
        load_or_create_signer(settings.path(settings.security.signing_key_file))
        load_or_create_master_key(settings.path(settings.security.master_key_file))
        recorder = Recorder()
        processes = Processes(folder / "logs", environment(settings), recorder.say)
        network = Network({**brokers.proxies, "node": proxy})
        at = Stage(settings, brokers.cluster, network, node, processes, recorder)
        try:
            for number in range(WORKERS):
                at.start_worker(f"worker-{number + 1}")
            processes.start("producer", "producer")
            yield at
        finally:
            await asyncio.to_thread(processes.stop)


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
