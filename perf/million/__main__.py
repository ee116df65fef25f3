"""Resident bytes, disk, restart and context latency with many agents, of whom most are idle.

.venv/bin/python -m perf.million [--agents 1000000] [--memories 2] [--folder DIR]

Starts a broker in FOLDER (removed at the end, unless it was named), fills it, and measures: a worker's agents and a whole
gateway against ones without agents, bytes on disk by part, the gateway's start from the compacted topics to its first true
answer, and the time of 1,000 contexts of agents drawn at random, over HTTP. A million agents need about 15 GB of disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from infra.broker import LocalBroker
from infra.topics import apply
from perf.million.chain import BATCH, agent_of, block_of, question_of
from schemas.codec import codec
from streams.identity.operator import load_or_create_operator_token
from streams.serving.client import Client
from streams.settings import KafkaSettings, Settings
from streams.signing import load_or_create_signer
from streams.topics import BLOCKS, physical
from tests.steps import notification, step_new

ROOT = Path(__file__).resolve().parents[2]
GOAL_BYTES, GOAL_SECONDS, GOAL_MS = 200, 300, 50
QUESTIONS = 1_000
BROKER = "broker"
SHARES = 2
PARTS = {
    "local state, lattice": "local/lattice",
    "local state, memory": "local/memory",
    "memory store": "memory_store",
    "vectors": "vectors",
    "keys": "keys",
}


def environment(settings: Settings) -> dict[str, str]:
    """Of a child process."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("MONMOUTH_")}
    kafka = settings.kafka
    return others | {
        "MONMOUTH_STATE_DIR": str(settings.state_dir),
        "MONMOUTH_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "MONMOUTH_KAFKA__PREFIX": kafka.prefix,
        "MONMOUTH_KAFKA__PARTITIONS": str(kafka.partitions),
        "MONMOUTH_GATEWAY__PORT": "0",
        "MONMOUTH_GATEWAY__METRICS_PORT": "0",
    }


class Child:
    """A process of ``perf.million.resident``."""

    def __init__(self, settings: Settings, *words: str) -> None:
        command = [sys.executable, "-m", "perf.million.resident", *words]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment(settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def said(self) -> dict[str, Any]:
        """Its next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a measured process ended early; see above")
        found: dict[str, Any] = json.loads(line)
        return found

    def go_on(self) -> None:
        """Lets it say more."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Waits for its end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


@contextmanager
def child(settings: Settings, *words: str) -> Iterator[Child]:
    running = Child(settings, *words)
    try:
        yield running
    finally:
        running.end()


async def publish_chain(settings: Settings, blocks: int) -> None:
    """The blocks the agents lived on, in chain.blocks, signed."""
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, linger_ms=10, enable_idempotence=True)
    await producer.start()
    topic = physical(settings.kafka.prefix, BLOCKS)
    for number in range(blocks):
        step = step_new(number, block_of(number), transactions=BATCH, time=1_700_000_000 + 12 * number)
        value = codec().encode("BlockNotification", signer.sign("BlockNotification", notification(step)))
        await producer.send(topic, value, key=b"\0" * 8, partition=0)
    await producer.stop()


def fill(settings: Settings, agents: int, memories: int) -> None:
    """State of all agents, by as many processes as there are shares."""
    command = [sys.executable, "-m", "perf.million.fill", "--agents", str(agents), "--memories", str(memories)]
    shares = [["--share", str(share), "--shares", str(SHARES)] for share in range(SHARES)]
    running = [subprocess.Popen([*command, *share], cwd=ROOT, env=environment(settings)) for share in shares]
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit("filling failed; see above")


def size(folder: Path) -> int:
    """Bytes that the files below a folder take on disk."""
    return sum(512 * file.stat().st_blocks for file in folder.rglob("*") if file.is_file())


def ask(settings: Settings, url: str, agents: int, questions: int) -> list[float]:
    """Milliseconds of a context each, of agents drawn at random, none of them asked for before."""
    rng, taken = random.Random(11), []
    token = load_or_create_operator_token(settings.path(settings.security.operator_token_file))
    with Client(url, token=token) as client:
        client.chain()
        for number in rng.sample(range(agents), min(agents, questions)):
            started = time.perf_counter()
            found = client.query_context("0x" + agent_of(number).hex(), f"when was it that I {question_of(number)}?")
            taken.append(1000 * (time.perf_counter() - started))
            if not found.items:
                raise SystemExit(f"agent {number} has no context: what was filled is not what is read")
    return sorted(taken)


def measure(settings: Settings, empty: Settings, agents: int, questions: int) -> dict[str, float]:
    """All figures, printed as they come."""
    figures: dict[str, float] = {}
    rest, full = {}, {}
    for name, kept, count in (("empty", empty, 1), ("filled", settings, agents)):
        with child(kept, "worker", "--agents", str(count)) as running:
            rest[name], full[name] = running.said(), running.said()
    figures["worker"] = (rest["filled"]["anonymous"] - rest["empty"]["anonymous"]) / agents
    figures["worker, caches full"] = (full["filled"]["anonymous"] - full["empty"]["anonymous"]) / agents
    figures["worker, start"] = rest["filled"]["seconds"]
    with child(empty, "gateway") as running:
        before = running.said()["anonymous"]
        running.go_on()
        running.said()
    with child(settings, "gateway") as running:
        ready = running.said()
        figures["gateway"] = (ready["anonymous"] - before) / agents
        figures["gateway, start"] = ready["seconds"]
        if ready["roots"] != agents:
            raise SystemExit(f"the gateway knows {ready['roots']:,} agents' roots, not {agents:,}")
        taken = ask(settings, ready["url"], agents, questions)
        running.go_on()
        figures["gateway, after questions"] = (running.said()["anonymous"] - before) / agents
    figures["p50"], figures["p99"] = taken[len(taken) // 2], taken[min(len(taken) - 1, len(taken) * 99 // 100)]
    return figures


def show(figures: dict[str, float], agents: int, disk: dict[str, int]) -> None:
    rows = [
        ("resident, worker at rest", figures["worker"], "B/agent", GOAL_BYTES),
        ("resident, worker, caches full", figures["worker, caches full"], "B/agent", None),
        ("resident, gateway", figures["gateway"], "B/agent", GOAL_BYTES),
        ("resident, gateway after questions", figures["gateway, after questions"], "B/agent", None),
        ("start, worker's state", figures["worker, start"], "s", GOAL_SECONDS),
        ("start, gateway from the topics", figures["gateway, start"], "s", GOAL_SECONDS),
        ("context of one agent, p50", figures["p50"], "ms", None),
        ("context of one agent, p99", figures["p99"], "ms", GOAL_MS),
    ]
    print(f"\n{agents:,} agents")
    for name, value, unit, goal in rows:
        against = "" if goal is None else f"   goal {goal} {unit}: {value / goal:.2f} of it"
        print(f"  {name:36}{value:>12,.1f} {unit}{against}")
    for name, taken in disk.items():
        print(f"  {'disk, ' + name:36}{taken / agents:>12,.0f} B/agent   {taken / 1e9:.2f} GB")


def run(agents: int, memories: int, folder: Path, bootstrap: str, questions: int = QUESTIONS) -> dict[str, float]:
    """Fills and measures, with stores in ``folder`` and topics on a broker."""
    pair = []
    for name in ("empty", "filled"):
        kafka = KafkaSettings(bootstrap=bootstrap, prefix=f"million.{name}.")
        pair.append(Settings(state_dir=folder / name, kafka=kafka))
        asyncio.run(apply(kafka))
    empty, settings = pair
    asyncio.run(publish_chain(empty, 1))
    asyncio.run(publish_chain(settings, -(-agents // BATCH)))
    started = time.monotonic()
    fill(settings, agents, memories)
    print(f"  filled in {time.monotonic() - started:.0f} s", flush=True)
    figures = measure(settings, empty, agents, questions)
    disk = {name: size(settings.state_dir / place) for name, place in PARTS.items()}
    if (folder / BROKER).exists():
        disk["topics"] = size(folder / BROKER)
    disk["all"] = sum(disk.values())
    show(figures, agents, disk)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=1_000_000)
    parser.add_argument("--memories", type=int, default=2, help="Of each agent (default: 2).")
    parser.add_argument("--folder", type=Path, help="Where to keep it; kept afterwards.")
    wanted = parser.parse_args()
    if wanted.agents < 1 or not 1 <= wanted.memories <= 64:
        parser.error("at least one agent, and 1 to 64 memories of each")
    folder = (wanted.folder or Path(tempfile.mkdtemp(prefix="million-"))).resolve()
    broker = LocalBroker(folder / BROKER, heap="384m", record_startup=False, jars=ROOT / ".monmouth" / "jars")
    broker.start()
    try:
        run(wanted.agents, wanted.memories, folder, broker.bootstrap)
    finally:
        broker.stop()
        if wanted.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
