"""``monmouth verify`` on what a real pipeline left behind: silent where all is well, and each kind of damage is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import lmdb
import pytest

from connectors.chain.devchain import DevChain, DevNode, Step
from connectors.chain.devchain.steps import StepKind
from connectors.chain.rpc import RpcSource
from schemas.codec import codec
from schemas.records import Memory
from streams import topics
from streams.core.checkpoint import Checkpoint
from streams.core.presence import Fact
from streams.ports.log import TopicPartition
from streams.ports.stores import VectorRow
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.state import state_path
from streams.settings import Settings
from streams.upkeep.difference import OUTSIDE, Difference
from streams.upkeep.pipeline import open_pipeline
from tests.e2e.finished import BLOCKS, SEED, Opened, fact_of, moves, opened

pytestmark = pytest.mark.kafka


async def test_nothing_is_found_where_nothing_is_wrong(finished: Settings, tmp_path: Path) -> None:
    async with opened(finished, tmp_path) as at:
        report = await at.verify(state_dir=at.settings.state_dir)
    assert report.differences == [] and report.skipped == list(OUTSIDE)
    assert report.memories > 5 and report.blocks >= BLOCKS


async def missing_row(at: Opened) -> str:
    await at.memories.revert([at.fact])
    return "memory store: {whose}, block {block}: the row is missing"


async def extra_row(at: Opened) -> str:
    memory: Memory = {**at.fact["memory"], "id": b"x" * 32}  # type: ignore[typeddict-item, misc]
    await at.memories.apply([fact_of(memory, Fact(b"c" * 32))])
    return "memory store: agent {agent}, memory " + (b"x" * 32).hex() + ": has a row too many"


async def extra_row_of_nobody(at: Opened) -> str:
    memory: Memory = {**at.fact["memory"], "agent": b"n" * 20}  # type: ignore[typeddict-item, misc]
    await at.memories.apply([fact_of(memory, Fact(b"c" * 32))])
    return "memory store: agent 0x" + (b"n" * 20).hex() + ", memory {memory}: has a row too many, of an agent"


async def altered_row(at: Opened) -> str:
    await at.memories.revert([at.fact])
    memory: Memory = {**at.fact["memory"], "content": b"something else", "importance": 0.125}  # type: ignore[typeddict-item, misc]
    (name,) = at.row.presence.upserts
    await at.memories.apply([fact_of(memory, name)])
    return "memory store: {whose}, block {block}: the memory differs in content, importance"


async def a_fact_too_many(at: Opened) -> str:
    assert at.row.memory is not None
    await at.memories.apply([fact_of(at.row.memory, Fact(b"d" * 32), "DELETE")])
    return "memory store: {whose}, block {block}: the row counts 1 UPSERTs and 1 DELETEs that stand"


async def missing_vector(at: Opened) -> str:
    await at.vectors.delete([at.key])
    return "vectors: {whose}, block {block}: the vector is missing"


async def altered_vector(at: Opened) -> str:
    (found,) = await at.vectors.find([at.key])
    assert found is not None
    await at.vectors.upsert([VectorRow(*at.key, found.vector[::-1].copy(), found.block_hash, found.source)])
    return "vectors: {whose}, block {block}: the vector is not the one published"


@contextmanager
def local_rows(at: Opened, name: str) -> Iterator[lmdb.Transaction]:
    with (
        lmdb.open(str(state_path(at.settings.state_dir, name, at.part)), max_dbs=2, map_size=1 << 30) as environment,
        environment.begin(write=True, db=environment.open_db(b"data")) as txn,
    ):
        yield txn


async def altered_local_row(at: Opened) -> str:
    with local_rows(at, "lattice") as txn:
        assert txn.delete(b"m" + at.key[0] + at.key[1])
    return "local state of lattice/{part}: {whose}, block {block}: the row is missing"


async def altered_tally(at: Opened) -> str:
    with local_rows(at, "graph") as txn:
        key, entry = next((key, value) for key, value in txn.cursor() if key.startswith(b"e"))
        txn.put(key, entry[:-1] + bytes([entry[-1] ^ 1]))
    return f"local state of graph/{at.part}: agent 0x{key[1:21].hex()}: 1 rows are not what the log says"


async def altered_graph_digest(at: Opened) -> str:
    with local_rows(at, "graph") as txn:
        assert txn.delete(b"d")
    return "local state of graph/{part}: the digest is not that of the log"


@pytest.mark.parametrize(
    "damage",
    [
        missing_row,
        extra_row,
        extra_row_of_nobody,
        altered_row,
        a_fact_too_many,
        missing_vector,
        altered_vector,
        altered_local_row,
        altered_tally,
        altered_graph_digest,
    ],
)
async def test_damage_to_a_store_is_named(
    finished: Settings, tmp_path: Path, damage: Callable[[Opened], Awaitable[str]]
) -> None:
    async with opened(finished, tmp_path) as at:
        must = (await damage(at)).format(
            whose=f"agent 0x{at.key[0].hex()}, memory {at.key[1].hex()}", agent=f"0x{at.key[0].hex()}", memory=at.key[1].hex(),
            block=at.row.block, part=at.part,
        )  # fmt: skip
        report = await at.verify(state_dir=at.settings.state_dir)
    assert len(report.differences) == 1, report.differences
    assert str(report.differences[0]).startswith(must)


@asynccontextmanager
async def overwritten(at: Opened, topic: str, key: bytes, value: bytes | None) -> AsyncIterator[None]:
    """A row of a compacted topic is another one meanwhile."""
    log = open_pipeline(at.settings).client
    target = TopicPartition(topic, at.part)
    reader = log.reader()
    first, stop = (await reader.bounds([target]))[target]
    rows = [message async for messages in reader.read_range(target, first, stop) for message in messages if message.key == key]
    await reader.close()
    for written in (value, rows[-1].value if rows else None):
        producer = log.producer("vandal", 0)
        await producer.start()
        await producer.begin()
        await producer.send({target: [(key, written)]})
        await producer.commit()
        await producer.close()
        if written is value:
            yield


async def test_an_altered_or_missing_root_is_named(finished: Settings, tmp_path: Path) -> None:
    async with opened(finished, tmp_path) as at:
        agent = at.key[0]
        zero = {
            "agent": agent,
            "count": 1,
            "lattice": bytes(2048),
            "checksum": bytes(32),
            "merkle_root": bytes(32),
            "block": None,
        }
        async with overwritten(at, topics.ROOTS, agent, codec().encode("LatticeRoot", zero)):
            (found,) = (await at.verify()).differences
        assert str(found).startswith(f"memory.roots: agent 0x{agent.hex()}, block ")
        assert "differs in" in found.what and "lattice, checksum, Merkle root" in found.what
        async with overwritten(at, topics.ROOTS, agent, None):
            (found,) = (await at.verify()).differences
        assert "no root is published" in found.what
        async with overwritten(at, topics.EMBEDDINGS, at.key[0] + at.key[1], None):
            (found,) = (await at.verify()).differences
        assert (found.side, found.what) == ("rag.embeddings", "the vector is missing")
        assert (await at.verify()).differences == []


async def row_of(at: Opened, topic: str, least: int) -> tuple[bytes, Any]:
    """Key and newest record of a row of the partition whose agent has so many of them at least."""
    log = open_pipeline(at.settings).client
    reader = log.reader()
    source = TopicPartition(topic, at.part)
    first, stop = (await reader.bounds([source]))[source]
    newest = {m.key: m.value async for messages in reader.read_range(source, first, stop) for m in messages}
    await reader.close()
    rows = {key: codec().decode(value)[1] for key, value in newest.items() if key is not None and value is not None}
    assert len(rows) >= least
    return next(iter(rows.items()))


@asynccontextmanager
async def planted(at: Opened, rows: Sequence[tuple[str, bytes, bytes | None]]) -> AsyncIterator[list[Difference]]:
    """What is found while these rows (topic, key, value) are others."""
    async with AsyncExitStack() as stack:
        for row in rows:
            await stack.enter_async_context(overwritten(at, *row))
        yield (await at.verify()).differences


async def test_the_tables_of_memories_and_of_the_graph_are_held_against_the_log(finished: Settings, tmp_path: Path) -> None:
    """Altered, missing, and too many."""
    async with opened(finished, tmp_path) as at:
        edge, event = await row_of(at, topics.EDGES, 5)
        agent, profile = await row_of(at, topics.REGISTRY, 1)
        memory: Any = {**at.fact["memory"], "importance": 0.125}  # type: ignore[dict-item]
        encode, stranger = codec().encode, edge[:20] + bytes(32)
        altered: list[tuple[str, bytes, bytes | None]] = [
            (topics.MEMORY_STATE, at.key[0] + at.key[1], encode("Memory", memory)),
            (topics.EDGES, edge, encode("GraphEdge", event | {"weight": event["weight"] + 1})),
            (topics.REGISTRY, agent, encode("AgentProfile", profile | {"edges": profile["edges"] + 1})),
        ]
        names = [
            f"memory.state: agent 0x{at.key[0].hex()}, memory {at.key[1].hex()}, block {at.row.block}: the memory ",
            f"graph.edges: agent 0x{edge[:20].hex()}: event {edge[20:].hex()} ",
            f"agents.registry: agent 0x{agent.hex()}: the profile ",
        ]
        async with planted(at, altered) as found:
            assert sorted(map(str, found)) == sorted(name + "is not what the log says" for name in names)
        missing: list[tuple[str, bytes, bytes | None]] = [(topic, key, None) for topic, key, _ in altered]
        async with planted(at, [*missing, (topics.EDGES, stranger, encode("GraphEdge", event))]) as found:
            extra = f"graph.edges: agent 0x{edge[:20].hex()}: event {bytes(32).hex()} is too many"
            assert sorted(map(str, found)) == sorted([*(name + "is missing" for name in names), extra])
        assert (await at.verify()).differences == []


def put(slot: Checkpoint) -> tuple[str, bytes, bytes]:
    return topics.CHECKPOINTS, slot.key, codec().encode("Checkpoint", slot.record())


def without_state(slot: Checkpoint) -> Checkpoint:
    return replace(slot, at=replace(slot.at, state=b"s" * 32))


async def checkpoints_of(at: Opened, name: str) -> dict[str, Checkpoint]:
    reader = open_pipeline(at.settings).client.reader()
    try:
        return await read_checkpoints(reader, name, at.part)
    finally:
        await reader.close()


async def test_altered_checkpoints_are_named(finished: Settings, tmp_path: Path) -> None:
    """The newest; of those of single blocks too, where a fold tells what the state was."""
    async with opened(finished, tmp_path) as at:
        wrong, sides = [], []
        for name in ("memory", "lattice", "graph"):
            slots = await checkpoints_of(at, name)
            ring = next(slot for slot, each in slots.items() if slot.isdigit() and each.live)
            wrong += [put(without_state(slots[slot])) for slot in ("tip", ring)]
            sides += [f"checkpoint of {name}/{at.part}"]
            sides += [f"checkpoint {ring} of {name}/{at.part}"] if name != "lattice" else []
        async with planted(at, wrong) as found:
            assert sorted(each.side for each in found) == sorted(sides)
        assert {each.what for each in found} == {"the state digest is not that of the log"}


async def test_a_stream_agent_that_stands_elsewhere_is_named(finished: Settings, tmp_path: Path) -> None:
    async with opened(finished, tmp_path) as at:
        names = ("intent", "memory", "embedding", "lattice", "graph")
        tips = [(await checkpoints_of(at, name))["tip"] for name in names]
        moved = [replace(tip, offsets={**tip.offsets, tip.topic: tip.offsets[tip.topic] + 1}) for tip in tips]
        others = [replace(tip, at=replace(tip.at, block=replace(tip.at.block, hash=b"o" * 32))) for tip in tips]
        for wrong, what in ((moved, "stands at offset"), (others, "stands at block")):
            async with planted(at, [put(tip) for tip in wrong]) as found:
                assert {each.side for each in found} == {f"checkpoint of {name}/{at.part}" for name in names}
            assert all(each.what.startswith(what) for each in found)


@pytest.mark.parametrize(("seed", "wrong"), [(SEED, False), (8, True)])
async def test_another_chain_is_named_block_by_block(finished: Settings, tmp_path: Path, seed: int, wrong: bool) -> None:
    async with opened(finished, tmp_path) as at, DevNode(DevChain(seed, agents=6, transactions=5)) as node:
        for _ in range(BLOCKS):
            for _ in node.apply(Step(StepKind.ADVANCE)):
                pass
        moves(node)
        source = RpcSource(node.url, None, level="header")
        try:
            report = await at.verify(source=source)
        finally:
            await source.close()
    assert len({each.block for each in report.differences}) == (report.blocks if wrong else 0)
    assert {each.side for each in report.differences} == ({"chain"} if wrong else set())
