"""Fills stores, local state and compacted topics as a pipeline does that has taken in the chain.

Real parts: the key store, the lattice agent on its local state, the memory agent's rows on its own, the embedded stores, sealed
records, a broker. Left out: the reading of transactions, consumer groups, and the model: vectors are drawn from a hash, for one
memory of every ``WITH_VECTOR``-th agent, or they would take most of the disk. Each process takes a share of the partitions.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from aiokafka import AIOKafkaProducer
from blake3 import blake3

from connectors.stores import open_memory_store, open_vector_store
from perf.million.chain import BATCH, agent_of, block_of, facts_of
from schemas.codec import codec
from schemas.records import MemoryFact
from streams.agents.lattice import LatticeAgent
from streams.agents.memory_rows import MemoryRows
from streams.agents.quota import Quota
from streams.core.record import Record
from streams.partitions import partition_of
from streams.ports.stores import VectorRow
from streams.runtime.state import StateStore, state_path
from streams.settings import Settings, load_settings
from streams.topics import MEMORY_LOG, MEMORY_STATE, ROOTS, physical
from streams.vault.sealing import sealed_records

DIMENSION = 384
EVERY = 10.0
WITH_VECTOR = 4
TIP = "tip"


class Filler:
    """One process's share: blocks ``share``, ``share + shares``, ... of the partitions it owns."""

    def __init__(self, settings: Settings, memories: int, owned: Iterable[int], keys: object) -> None:
        self._settings = settings
        self._memories = memories
        self._states = {
            name: {p: StateStore(state_path(settings.state_dir, name, p)) for p in owned} for name in ("lattice", "memory")
        }
        self._lattice = {p: LatticeAgent(p, state, keys.leaf_secret) for p, state in self._states["lattice"].items()}  # type: ignore[attr-defined]
        self._rows = {p: MemoryRows(state, Quota(state, 10_000)) for p, state in self._states["memory"].items()}
        self._store = open_memory_store(settings)
        self._vectors = open_vector_store(settings)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka.bootstrap, linger_ms=20, max_batch_size=512 * 1024, compression_type="zstd"
        )

    async def run(self, agents: int) -> None:
        """Fills for the agents of the owned partitions, saying how far it is."""
        await self._producer.start()
        said, done = time.monotonic(), 0
        for number in range(-(-agents // BATCH)):
            done += await self._block(number, min(agents, BATCH * (number + 1)))
            if time.monotonic() - said > EVERY:
                said = time.monotonic()
                print(f"  {done:,} agents of partitions {sorted(self._rows)}", flush=True)
        await self._producer.flush()
        await self._producer.stop()
        for states in self._states.values():
            for state in states.values():
                state.close()
        await self._vectors.close()
        await self._store.close()

    async def _block(self, number: int, last: int) -> int:
        block, counted = block_of(number), 0
        parts: dict[int, list[MemoryFact]] = defaultdict(list)
        for index in range(number * BATCH, last):
            partition = partition_of(agent_of(index), self._settings.kafka.partitions)
            if partition in self._rows:
                parts[partition] += facts_of(index, block, self._memories)
                counted += 1
        codec().prepare({fact["owner"] for facts in parts.values() for fact in facts})
        for partition, facts in parts.items():
            self._fold(partition, number, facts)
        together = [fact for facts in parts.values() for fact in facts]
        await self._store.apply(together)
        await self._vectors.upsert([_vector(fact) for fact in together[:: self._memories * WITH_VECTOR]])
        await self._publish(parts)
        return counted

    def _fold(self, partition: int, number: int, facts: list[MemoryFact]) -> None:
        for fact in facts:
            self._rows[partition].apply(fact)
        records = [Record(MEMORY_LOG, partition, 0, fact["owner"], "MemoryFact", fact, b"") for fact in facts]
        self._lattice[partition].apply(block_of(number), records)
        if number:
            self._lattice[partition].finalize(block_of(number - 1))

    async def _publish(self, parts: dict[int, list[MemoryFact]]) -> None:
        roots, states = (physical(self._settings.kafka.prefix, topic) for topic in (ROOTS, MEMORY_STATE))
        for partition, facts in parts.items():
            for emit in self._lattice[partition].emit_before_commit():
                value = None if emit.value is None else codec().encode(emit.type, emit.value)
                await self._producer.send(roots, value, key=emit.key, partition=partition)
            for fact in facts:
                assert fact["memory"] is not None
                value = codec().encode("Memory", fact["memory"])
                await self._producer.send(states, value, key=fact["owner"] + fact["memory_id"], partition=partition)
            for name in self._states:
                await self._states[name][partition].save({}, TIP)


def _vector(fact: MemoryFact) -> VectorRow:
    row = np.frombuffer(blake3(fact["memory_id"]).digest(2 * DIMENSION), dtype="<i2").astype(np.float32)
    return VectorRow(fact["owner"], fact["memory_id"], row / np.float32(np.linalg.norm(row)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, required=True)
    parser.add_argument("--memories", type=int, required=True)
    parser.add_argument("--share", type=int, required=True)
    parser.add_argument("--shares", type=int, required=True)
    wanted = parser.parse_args()
    settings = load_settings()
    owned = range(wanted.share, settings.kafka.partitions, wanted.shares)
    with sealed_records(settings) as keys:

        async def run() -> None:
            await Filler(settings, wanted.memories, owned, keys).run(wanted.agents)

        asyncio.run(run())


if __name__ == "__main__":
    main()
