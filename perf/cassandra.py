"""What the memory store costs on Cassandra: writes, reads, and what reorganisations leave behind.

    .venv/bin/python -m perf.cassandra [--memories 20000] [--agents 50] [--undone 40] [--rounds 25]

One node on this machine, with a commit log that is forced to the disk before a write is acknowledged. In the same run: the
driver's bare inserts of the same bytes into one table (what no store on it can exceed), and the embedded store. Tombstones are
those that the server says it read, by its own tracing, for each question of the store before and after blocks were written and
undone again and again; then after the tables were compacted.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

from blake3 import blake3

from connectors.stores import LmdbMemoryStore
from connectors.stores.cassandra import CassandraMemoryStore
from connectors.stores.cassandra.writing import bucket_of
from connectors.stores.memory_index import HIGHEST, LOWEST, PAST_ANY_ID
from infra.cassandra import CassandraNode
from perf.measure import ROOT, timed
from schemas.codec import codec
from schemas.defaults import plain_memory
from schemas.records import MEMORY_TYPES, MemoryFact
from streams.core.presence import everything
from streams.ports.stores import MemoryFilter, MemoryStore
from streams.settings import CassandraSettings

FLUSH = 500
"""Facts of one write, as a stream agent makes them."""
LANES = 4
READS = 500
IN_FLIGHT = 256
PAGE = 20
"""Entries of one partition that the store asks for to find the newest 50 in four."""
TEXT = b"swapped 2 ETH for 5,000 DAI on Uniswap, since the price of gas had fallen below what it was in the morning; "
SAID = re.compile(r"Read (\d+) live rows and (\d+) tombstone cells")
BARE = (
    "CREATE TABLE IF NOT EXISTS {keyspace}_bare.rows (agent blob, bucket smallint, id blob, wire blob, "
    "PRIMARY KEY ((agent, bucket), id))"
)


def facts(agents: Sequence[bytes], count: int, block: int | None = None) -> list[MemoryFact]:
    """Memories of agents in turn, with ids that are hashes."""
    found: list[MemoryFact] = []
    at: Any = None if block is None else {"number": block, "hash": blake3(b"%d" % block).digest(), "parent": bytes(32)}
    for number in range(count):
        owner = agents[number % len(agents)]
        memory_id = secrets.token_bytes(32)
        memory: Any = plain_memory(memory_id, owner, MEMORY_TYPES[number % len(MEMORY_TYPES)], "COMMAND", 1_000_000 + number)
        memory |= {"content": 2 * TEXT, "importance": number % 100 / 100, "tags": ["swap", "eth"], "block": at}
        found.append(
            {"op": "UPSERT", "cause": memory_id, "memory_id": memory_id, "owner": owner, "memory": memory, "block": at}
        )
    return found


def row(name: str, count: int, wall: float, cpu: float) -> None:
    print(f"{name:44} {count:>7,} rows  {count / wall:>9,.0f} rows/s  {1e6 * cpu / count:>7.0f} client CPU-us/row", flush=True)


async def store_writes(name: str, store: MemoryStore, made: Sequence[MemoryFact], agents: Sequence[bytes]) -> None:
    """Each lane has its own agents, as partitions do."""
    lane_of = {agent: number % LANES for number, agent in enumerate(agents)}
    lanes: list[list[MemoryFact]] = [[] for _ in range(LANES)]
    for fact in made:
        lanes[lane_of[fact["owner"]]].append(fact)

    async def write(number: int) -> None:
        owned = await store.claim(b"perf/%d" % number)
        for first in range(0, len(lanes[number]), FLUSH):
            await owned.apply(lanes[number][first : first + FLUSH])

    with timed(name) as figure:
        await asyncio.gather(*map(write, range(LANES)))
    row(name, len(made), figure.wall, figure.cpu)


async def bare_writes(store: CassandraMemoryStore, made: Sequence[MemoryFact], keyspace: str) -> None:
    """The driver through the same bridge, into one table: a statement for each row, then twenty rows of a partition at once."""
    connection = store._connection
    session = connection._session
    said = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    session.execute(f"CREATE KEYSPACE IF NOT EXISTS {keyspace}_bare WITH replication = {said}")
    session.execute(BARE.format(keyspace=keyspace))
    insert = f"INSERT INTO {keyspace}_bare.rows (agent, bucket, id, wire) VALUES (?, ?, ?, ?)"
    connection._prepared["bare"] = session.prepare(insert)
    values = [
        (
            fact["owner"],
            bucket_of(fact["memory_id"], connection.buckets),
            fact["memory_id"],
            codec().encode("Memory", fact["memory"] or {}),
        )
        for fact in made
    ]
    with timed("bare") as figure:
        await asyncio.gather(*(connection.write("bare", *row_) for row_ in values))
    row("driver alone, a statement for each row", len(made), figure.wall, figure.cpu)
    by_place: dict[tuple[bytes, int], list[Any]] = {}
    for value in values:
        by_place.setdefault(value[:2], []).append(("bare", value))
    groups = [rows[i : i + 20] for rows in by_place.values() for i in range(0, len(rows), 20)]
    with timed("batches") as figure:
        await asyncio.gather(*map(connection.batch, groups))
    row("driver alone, 20 rows of a partition at once", len(made), figure.wall, figure.cpu)


async def latency(name: str, ask: Callable[[int], Awaitable[object]], count: int = READS) -> None:
    took = []
    for number in range(count):
        began = time.perf_counter()
        await ask(number)
        took.append(1e3 * (time.perf_counter() - began))
    percentiles = quantiles(took, n=100)
    print(f"{name:44} p50 {percentiles[49]:7.2f} ms   p99 {percentiles[98]:7.2f} ms", flush=True)


async def reads(name: str, store: MemoryStore, made: Sequence[MemoryFact], agents: Sequence[bytes]) -> None:
    some = [made[number * 7919 % len(made)] for number in range(READS)]
    semantic = MemoryFilter(limit=50, types=frozenset({"SEMANTIC"}))

    def agent(number: int) -> bytes:
        return agents[number % len(agents)]

    await latency(f"{name}: one memory by id", lambda n: store.get(some[n]["owner"], [some[n]["memory_id"]]))
    await latency(f"{name}: newest 50", lambda n: store.query(agent(n), MemoryFilter(limit=50), everything))
    await latency(f"{name}: newest 50 of a type", lambda n: store.query(agent(n), semantic, everything))
    weighty = MemoryFilter(limit=50, min_importance=0.8)
    await latency(f"{name}: newest 50 of importance", lambda n: store.query(agent(n), weighty, everything))
    await latency(f"{name}: version", lambda n: store.version(agent(n)))
    await latency(f"{name}: all live ids", lambda n: store.live_ids(agent(n), everything), 50)


def questions(agent: bytes, bucket: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What the store asks of one partition."""
    whole = (HIGHEST, PAST_ANY_ID, LOWEST, b"")
    yield "listed", (agent, bucket, "time", *whole, PAGE)
    yield "listed", (agent, bucket, "type:SEMANTIC", *whole, PAGE)
    yield "presences", (agent, bucket)
    yield "blocks", (agent, bucket, 0)
    yield "changes", (agent, bucket, 0, HIGHEST, 1001)
    yield "head", (agent,)


def tombstones(store: CassandraMemoryStore, agent: bytes, when: str) -> None:
    """Rows read and tombstones met by each question, as the server traces them."""
    connection = store._connection
    print(f"{when}: rows and tombstones the server read for a question to one partition")
    for name, values in questions(agent, 0):
        answer = connection._session.execute(connection._prepared[name].bind(values), trace=True, execution_profile="read")
        list(answer)
        events = answer.get_query_trace(max_wait_sec=10).events
        said = [match for event in events if (match := SAID.search(event.description))]
        label = f"{name} {values[2]}" if name == "listed" else name
        print(
            f"    {label:40} {sum(int(m[1]) for m in said):>7,} rows {sum(int(m[2]) for m in said):>7,} tombstones", flush=True
        )


async def undo(store: CassandraMemoryStore, agent: bytes, rounds: int, undone: int) -> None:
    """Blocks of ``undone`` memories, written and taken back."""
    owned = await store.claim(b"perf/undo")
    with timed("undo") as figure:
        for number in range(rounds):
            block = facts([agent], undone, 1_000_000 + number)
            await owned.apply(block)
            await owned.revert(block)
    row("written and undone again", 2 * rounds * undone, figure.wall, figure.cpu)


async def measure(
    settings: CassandraSettings, arguments: argparse.Namespace, folder: Path, compact: Callable[[], None]
) -> None:
    agents = [secrets.token_bytes(20) for _ in range(arguments.agents)]
    made = facts(agents, arguments.memories)
    store, embedded = CassandraMemoryStore(settings), LmdbMemoryStore(folder / "lmdb", 8 << 30)
    try:
        await store.version(agents[0])
        await bare_writes(store, made, settings.keyspace)
        await store_writes("store on Cassandra", store, made, agents)
        await store_writes("embedded store", embedded, made, agents)
        for name, one in (("Cassandra", store), ("embedded", embedded)):
            await reads(name, one, made, agents)
        agent = agents[0]
        tombstones(store, agent, "before any undo")
        await undo(store, agent, arguments.rounds, arguments.undone)
        tombstones(store, agent, f"after {arguments.rounds} blocks of {arguments.undone} memories were undone")
        newest = MemoryFilter(limit=50)
        await latency("Cassandra: newest 50, after the undos", lambda _: store.query(agent, newest, everything))
        for table in ("listings", "memories", "changes", "blocks"):
            store._connection._session.execute(f"ALTER TABLE {table} WITH gc_grace_seconds = 1")
        await asyncio.sleep(3)
        await asyncio.to_thread(compact)
        tombstones(store, agent, "after the tables were compacted, their time of grace being over")
    finally:
        await store.close()
        await embedded.close()


def _node(folder: Path) -> CassandraNode:
    return CassandraNode(folder, jars=ROOT / ".monmouth" / "jars", heap="1g", managed=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=20_000)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--undone", type=int, default=40, help="memories of a block that is undone")
    parser.add_argument("--rounds", type=int, default=25, help="blocks that are undone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _node(Path(folder)) as node:
        settings = CassandraSettings(
            contact_points=[node.address], port=node.port, keyspace="perf", max_in_flight=IN_FLIGHT, timeout_seconds=60
        )
        asyncio.run(measure(settings, arguments, Path(folder), lambda: node.tool("compact", "perf") and None))


if __name__ == "__main__":
    main()
