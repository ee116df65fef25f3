"""The product's own processes on one machine: an anvil node, a broker, a block producer, workers; and a watch on the topics.

Nothing of the pipeline runs in the process that measures. What is watched is what any outside reader sees: committed records.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.broker.ports import free_port
from infra.topics import apply
from perf.marked import local_broker
from perf.measure import ROOT
from perf.node import anvil, call
from schemas.codec import codec
from streams.settings import Settings
from streams.topics import BLOCKS, CHECKPOINTS, physical

MONMOUTH = [sys.executable, "-m", "streams.cli"]
MODELS = ROOT / ".monmouth" / "models"
PATIENCE = 120.0


@dataclass(slots=True)
class Watch:
    """What was committed, and when it was seen (``time.perf_counter``).

    ``undos``: (sequence, depth, when). ``progress``: (stream agent, partition) -> (sequence, when) of each newer tip.
    """

    notifications: list[tuple[str, int, float]] = field(default_factory=list)
    undos: list[tuple[int, int, float]] = field(default_factory=list)
    progress: dict[tuple[str, int], list[tuple[int, float]]] = field(default_factory=dict)
    sequence: int = -1

    def note(self, topic: str, value: bytes, now: float) -> None:
        """Takes one committed record."""
        record = codec().decode(value)[1]
        if topic.endswith(BLOCKS):
            self.sequence = record["sequence"]
            if record["step"] == "UNDO":
                self.undos.append((record["sequence"], len(record["removed"]), now))
        elif record["slot"] == "tip":
            steps = self.progress.setdefault((record["stream_agent"], record["partition"]), [])
            if not steps or record["sequence"] > steps[-1][0]:
                steps.append((record["sequence"], now))

    def passed(self, key: tuple[str, int], sequence: int) -> float | None:
        """When a partition of a stream agent had first settled ``sequence``."""
        return next((when for reached, when in self.progress.get(key, ()) if reached >= sequence), None)


@asynccontextmanager
async def watching(settings: Settings) -> AsyncIterator[Watch]:
    """Reads chain.blocks and checkpoints meanwhile."""
    watch, prefix = Watch(), settings.kafka.prefix
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
    )
    await consumer.start()

    async def read() -> None:
        while True:
            found = await consumer.getmany(timeout_ms=200)
            now = time.perf_counter()
            for source, messages in found.items():
                for message in messages:
                    watch.note(source.topic, message.value, now)

    sources = [TopicPartition(physical(prefix, CHECKPOINTS), n) for n in range(settings.kafka.partitions)]
    sources.append(TopicPartition(physical(prefix, BLOCKS), 0))
    consumer.assign(sources)
    await consumer.seek_to_beginning(*sources)
    task = asyncio.create_task(read())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()


async def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Waits. Ends the run if it takes too long."""
    deadline = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > deadline:
            raise SystemExit(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(0.005)


@dataclass(slots=True)
class Pipeline:
    """``agents``: what each worker runs."""

    settings: Settings
    node: str
    agents: tuple[str, ...]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def _start(self, *argv: str, state: Path | None = None) -> subprocess.Popen[bytes]:
        kafka = self.settings.kafka
        environment = {
            **os.environ,
            "MONMOUTH_STATE_DIR": str(state or self.settings.state_dir),
            "MONMOUTH_KAFKA__BOOTSTRAP": kafka.bootstrap,
            "MONMOUTH_KAFKA__PREFIX": kafka.prefix,
            "MONMOUTH_KAFKA__PARTITIONS": str(kafka.partitions),
            "MONMOUTH_KAFKA__SESSION_TIMEOUT_MS": str(kafka.session_timeout_ms),
            "MONMOUTH_KAFKA__HEARTBEAT_INTERVAL_MS": str(kafka.heartbeat_interval_ms),
            "MONMOUTH_RAG__MODELS_PATH": str(MODELS),
        }
        for name, file in self.settings.security.model_dump().items():  # the keys are everybody's
            if isinstance(file, Path):
                environment[f"MONMOUTH_SECURITY__{name.upper()}"] = str(self.settings.path(file).resolve())
        log = (self.settings.state_dir / f"{argv[0]}-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen([*MONMOUTH, "-v", *argv], env=environment, cwd=ROOT, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def producer(self) -> subprocess.Popen[bytes]:
        """A block producer, told of new blocks by the node."""
        return self._start("producer", "--rpc", self.node, "--ws", self.node.replace("http", "ws"))

    def worker(self, *options: str, state: Path | None = None) -> subprocess.Popen[bytes]:
        """One more worker. ``state``: its state folder, if it is not the one all share."""
        return self._start("worker", "--agents", ",".join(self.agents), *options, state=state)

    def gateway(self) -> str:
        """Starts a gateway; its address."""
        port = free_port()
        self._start("gateway", "--port", str(port), "--metrics-port", "0")
        return f"http://127.0.0.1:{port}"

    def shares(self) -> list[tuple[str, int]]:
        """Every (stream agent, partition)."""
        return [(agent, n) for agent in self.agents for n in range(self.settings.kafka.partitions)]

    def stop(self) -> None:
        """Ends what still runs."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def pipeline(scratch: Path, *agents: str, partitions: int = 4) -> Iterator[Pipeline]:
    """Node, broker and topics; processes are started by the caller and ended here. What they said is shown if the run fails."""
    with anvil() as node, local_broker(scratch / "broker") as broker:
        settings = Settings(state_dir=scratch / "state")
        settings.kafka.bootstrap, settings.kafka.prefix, settings.kafka.partitions = broker.bootstrap, "perf.", partitions
        settings.state_dir.mkdir(parents=True)
        asyncio.run(apply(settings.kafka))
        line = Pipeline(settings, node, agents)
        try:
            yield line
        except BaseException:
            for log in sorted(settings.state_dir.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}")
            raise
        finally:
            line.stop()


def mine(node: str, blocks: int, transactions: int) -> str:
    """Mines blocks of plain transfers between the node's accounts; returns the hash of the last one."""
    accounts = call(node, ("eth_accounts", []))[0]
    for _ in range(blocks):
        requests: list[tuple[str, list[Any]]] = [
            (
                "eth_sendTransaction",
                [{"from": accounts[i % 10], "to": accounts[(i + 1) % 10], "value": "0x1", "gas": hex(21_000)}],
            )
            for i in range(transactions)
        ]
        if requests:
            call(node, *requests)
        call(node, ("evm_mine", []))
    return str(call(node, ("eth_getBlockByNumber", ["latest", False]))[0]["hash"])
