"""A steady rate of memory commands for minutes: is everything kept, and how far behind does the store fall?

    .venv/bin/python -m perf.sustained [--rate 1000] [--minutes 10] [--agents 1000]

One worker process (memory and lattice agents, exactly once) behind a real broker; this process writes signed commands at the
rate asked for, as a gateway does, and stores are read from outside. Each second one command is timed from before it is
written until the store has it. At the end every command's memory must be in the store, no other, and the published roots
must count them all. Embedding is left out: its own rate is printed by ``perf.embedding``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from connectors.stores import open_memory_store
from infra.topics import apply
from perf.pipeline import Pipeline, mine, pipeline, until, watching
from schemas.records import MemoryCommand
from streams.core.ids import command_memory_id
from streams.core.presence import everything
from streams.ports.stores import MemoryStore
from streams.ranks import quantile
from streams.serving.commands import KafkaCommandLog, store_command
from streams.serving.roots import RootTail
from streams.signing import load_or_create_signer

TICK = 0.05
DRAIN_SECONDS = 120.0


def _command(draw: random.Random, agents: int) -> MemoryCommand:
    agent = draw.randrange(agents).to_bytes(20, "big")
    text = f"note {draw.getrandbits(64):x}: sent {draw.randint(1, 900)} ETH in block {draw.randint(1, 10**7)}".encode()
    fields = {"media_type": "text/plain", "kind": "EPISODIC", "importance": draw.random(), "tags": ["sustained"]}
    return store_command(agent, draw.randbytes(16), text, timestamp=1_700_000_000, **fields)  # type: ignore[arg-type]


class Writer:
    """Writes at a rate. ``sent``: memory ids by agent; ``delays``: seconds until the timed ones were in the store."""

    def __init__(self, log: KafkaCommandLog, store: MemoryStore, rate: int, agents: int) -> None:
        self.sent: dict[bytes, set[bytes]] = {}
        self.delays: list[float] = []
        self.late = 0.0
        self._log, self._store, self._rate, self._agents = log, store, rate, agents
        self._draw = random.Random(11)
        self._timed: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> int:
        """Writes for so long; how many."""
        began, count, flights = time.perf_counter(), 0, set[asyncio.Task[None]]()
        while (elapsed := time.perf_counter() - began) < seconds:
            due = int(elapsed * self._rate) - count
            for _ in range(due):
                flights.add(task := asyncio.create_task(self._send(timed=count % self._rate == 0)))
                task.add_done_callback(flights.discard)
                count += 1
            self.late = max(self.late, due / self._rate)
            await asyncio.sleep(TICK)
            if len(flights) > 10 * self._rate:
                raise SystemExit("the broker does not acknowledge at this rate")
        await asyncio.gather(*flights)
        await asyncio.gather(*self._timed)
        return count

    async def _send(self, timed: bool) -> None:
        command = _command(self._draw, self._agents)
        memory_id = command_memory_id(command["agent"], command["id"])
        began = time.perf_counter()
        await self._log.send(command)
        self.sent.setdefault(command["agent"], set()).add(memory_id)
        if timed:
            self._timed.add(task := asyncio.create_task(self._watch(command["agent"], memory_id, began)))
            task.add_done_callback(self._timed.discard)

    async def _watch(self, agent: bytes, memory_id: bytes, began: float) -> None:
        while (await self._store.get(agent, [memory_id]))[0] is None:
            if time.perf_counter() - began > DRAIN_SECONDS:
                raise SystemExit(f"a command was not in the store after {DRAIN_SECONDS:.0f} s")
            await asyncio.sleep(0.01)
        self.delays.append(time.perf_counter() - began)


async def measure(line: Pipeline, rate: int, seconds: float, agents: int) -> tuple[Writer, int, Counter[str]]:
    """The writer, how many it wrote, and what is wrong with what was kept."""
    settings = line.settings
    await apply(settings.kafka)
    line.producer()
    line.worker()
    async with watching(settings) as watch:
        mine(line.node, 3, 1)
        await until(lambda: all(watch.passed(key, 3) is not None for key in line.shares()), "first blocks through")
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    log, store, roots = KafkaCommandLog(settings.kafka, signer), open_memory_store(settings), RootTail(settings.kafka, 30.0)
    roots.start()
    try:
        writer = Writer(log, store, rate, agents)
        count = await writer.run(seconds)
        return writer, count, await _verify(store, roots, writer.sent)
    finally:
        await roots.stop()
        await log.stop()
        await store.close()


async def _verify(store: MemoryStore, roots: RootTail, sent: dict[bytes, set[bytes]]) -> Counter[str]:
    deadline = time.perf_counter() + DRAIN_SECONDS
    while True:
        wrong: Counter[str] = Counter({"lost": 0, "other": 0, "not in the root": 0})
        for agent, ids in sent.items():
            held = set(await store.live_ids(agent, everything))
            wrong["lost"] += len(ids - held)
            wrong["other"] += len(held - ids)
            root = await roots.fresh(agent)
            wrong["not in the root"] += abs(len(ids) - (root.count if root else 0))
        if not any(wrong.values()) or time.perf_counter() > deadline:
            return wrong
        await asyncio.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1_000, help="commands a second")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--agents", type=int, default=1_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, pipeline(Path(scratch), "memory", "lattice") as line:
        writer, count, wrong = asyncio.run(measure(line, args.rate, 60 * args.minutes, args.agents))
    kept = count / (60 * args.minutes)
    print(f"\n{count:,} commands of {args.agents} agents in {args.minutes:g} minutes: {kept:,.0f}/s, asked for {args.rate:,}/s")
    p50, p99 = quantile(writer.delays, 0.5), quantile(writer.delays, 0.99)
    print(f"  written until in the store ({len(writer.delays)} timed): p50 {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms,")
    print(f"    worst {1000 * max(writer.delays):.0f} ms; the writer was at most {1000 * writer.late:.0f} ms behind its rate")
    print("  " + ", ".join(f"{name}: {number}" for name, number in wrong.items()))
    if any(wrong.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
