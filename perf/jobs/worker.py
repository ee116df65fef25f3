"""One stream agent in the product's own worker, until a number of blocks is committed. Prints its figure as JSON.

argv: what (``copy``, ``count``, ``lattice``), settings as JSON, blocks over all partitions, records, guarantee
(``exactly-once``, ``at-least-once``), and a file for a profile, if one is wanted.
"""

from __future__ import annotations

import asyncio
import cProfile
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar

from blake3 import blake3

from perf.measure import Figure
from perf.plain import PlainClient
from streams import loops, topics
from streams.agents.base import Emit, LocalState, Record, StreamAgent
from streams.agents.lattice import LatticeAgent
from streams.collector import relax_collector
from streams.core.block import BlockRef
from streams.runtime import metrics
from streams.runtime.job import AgentFactory
from streams.runtime.kafka.client import KafkaClient
from streams.runtime.worker import run_worker
from streams.settings import Settings
from streams.signing import Signer, Verifier

SEED = blake3(b"perf").digest()
EVENTS, COPIES = "perf.events", "perf.copies"


class Copy(StreamAgent):
    """One event in, one event out."""

    name: ClassVar[str] = "copy"
    inputs: ClassVar[tuple[str, ...]] = (EVENTS,)
    logs: ClassVar[tuple[str, ...]] = (COPIES,)

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        return [Emit(COPIES, r.value["agent"], "Intent", {**r.value, "confidence": r.value["confidence"] / 2}) for r in records]


class Count(StreamAgent):
    """Facts per agent: the least a fold can do. What it costs is the runtime."""

    name: ClassVar[str] = "count"
    inputs: ClassVar[tuple[str, ...]] = (topics.MEMORY_LOG,)
    tables: ClassVar[tuple[str, ...]] = (topics.ROOTS,)
    stateful: ClassVar[bool] = True
    keeps_state: ClassVar[bool] = True

    def __init__(self, partition: int, state: LocalState) -> None:
        super().__init__(partition, state)
        self.touched: set[bytes] = set()

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        for owner, more in Counter([record.value["owner"] for record in records]).items():
            count = int.from_bytes(self.state.get(owner) or b"", "big") + more
            self.state.put(owner, count.to_bytes(8, "big"))
            self.touched.add(owner)
        return ()

    def emit_before_commit(self) -> Iterable[Emit]:
        zero, counts = bytes(32), {owner: int.from_bytes(self.state.get(owner) or b"", "big") for owner in self.touched}
        self.touched.clear()
        row = {"lattice": b"", "checksum": zero, "merkle_root": zero, "block": None}
        return [Emit(topics.ROOTS, owner, "LatticeRoot", {"agent": owner, "count": n, **row}) for owner, n in counts.items()]


def lattice(partition: int, state: object) -> LatticeAgent:
    return LatticeAgent(partition, state, lambda agent: blake3(agent).digest())  # type: ignore[arg-type]


FACTORIES = {
    "copy": AgentFactory(Copy, Copy),
    "count": AgentFactory(Count, Count),
    "lattice": AgentFactory(LatticeAgent, lattice),
}


async def work(what: str, settings: Settings, blocks: int, rows: int, guarantee: str) -> Figure:
    """Runs until all blocks are committed, then stops the worker."""
    factory, signer = FACTORIES[what], Signer(SEED)
    client = KafkaClient(settings.kafka) if guarantee == "exactly-once" else PlainClient(settings.kafka)
    done, stop = metrics.BLOCKS.labels(factory.spec.name), asyncio.Event()
    cpu, wall = time.process_time(), time.perf_counter()
    running = asyncio.create_task(run_worker(settings, [factory], Verifier([signer.public]), signer, stop, client=client))
    while done._value.get() < blocks:
        if running.done():
            await running
            raise SystemExit("the worker ended early")
        await asyncio.sleep(0.02)
    figure = Figure(f"monmouth {what}, {guarantee}", rows, time.process_time() - cpu, time.perf_counter() - wall)
    stop.set()
    await running
    commits = metrics.COMMITS.labels(factory.spec.name)._value.get()
    print(f"{commits:.0f} transactions")
    return figure


def main() -> None:
    relax_collector()
    what, settings, blocks, rows, guarantee, *profile = sys.argv[1:]
    job = work(what, Settings.model_validate_json(settings), int(blocks), int(rows), guarantee)
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    figure = loops.run(job)
    if profile:
        profiler.disable()
        profiler.dump_stats(profile[0])
    print(figure.as_json(), flush=True)


if __name__ == "__main__":
    main()
