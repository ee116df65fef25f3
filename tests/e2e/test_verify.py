"""``monmouth verify`` on what a real pipeline left behind: silent where all is well, and each kind of damage is named."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb
import pytest

from connectors.chain.devchain import DevChain, DevNode, Step
from connectors.chain.devchain.steps import StepKind
from connectors.chain.rpc import RpcSource
from connectors.stores import open_memory_store, open_vector_store
from infra.topics import apply
from schemas.codec import codec
from schemas.records import Memory, MemoryFact
from streams import topics
from streams.core.block import ZERO_HASH
from streams.core.presence import Fact
from streams.ports.log import TopicPartition
from streams.ports.stores import MemoryStore, VectorRow, VectorStore
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.state import state_path
from streams.settings import KafkaSettings, Settings
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.standing import StandingLog, StandingRow
from streams.upkeep.verify import Report, Sides, verify
from streams.vault.sealing import sealed_records
from tests.e2e.pipeline import small

pytestmark = pytest.mark.kafka
SEED, BLOCKS = 7, 6


def moves(node: DevNode) -> None:
    for step in (Step(StepKind.REORG, 2), Step(StepKind.ADVANCE), Step(StepKind.ADVANCE)):
        for _ in node.apply(step):
            pass


@pytest.fixture(scope="module")
def finished(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A pipeline that took a few blocks and a reorg in, and ended."""
    kafka = KafkaSettings(bootstrap=broker, prefix=f"t{uuid.uuid4().hex[:12]}.", partitions=2)
    settings = Settings(state_dir=tmp_path_factory.mktemp("finished") / "state", kafka=kafka)

    async def live() -> None:
        await apply(kafka)
        async with small(settings, blocks=BLOCKS) as pipeline:
            moves(pipeline.node)
            await pipeline.agree()

    asyncio.run(live())
    return settings


@dataclass
class Opened:
    """A copy of the finished pipeline's folder, opened. ``row``: one of its memories, with a text; ``part``: its partition."""

    settings: Settings
    memories: MemoryStore
    vectors: VectorStore
    secrets: Callable[[bytes], bytes]
    part: int
    key: tuple[bytes, bytes]
    row: StandingRow

    async def verify(self, **sides: Any) -> Report:
        chosen = {"memories": self.memories, "vectors": self.vectors, "secrets": self.secrets} | sides
        pipeline = open_pipeline(self.settings)
        reader = pipeline.client.reader()
        try:
            return await verify(pipeline, reader, Sides(**chosen), [0, 1], pause=0)
        finally:
            await reader.close()

    @property
    def fact(self) -> MemoryFact:
        (name,) = self.row.presence.upserts
        assert self.row.memory is not None
        return _fact(self.row.memory, name)


def _fact(memory: Memory, name: Fact, op: Any = "UPSERT") -> MemoryFact:
    block: Any = {"number": name.block_number, "hash": name.block_hash, "parent": ZERO_HASH} if name.block_hash else None
    return MemoryFact(op=op, block=block, cause=name.cause, memory_id=memory["id"], owner=memory["agent"], memory=memory)  # type: ignore[typeddict-item, typeddict-unknown-key]


@asynccontextmanager
async def opened(finished: Settings, tmp_path: Path) -> AsyncIterator[Opened]:
    settings = finished.model_copy(deep=True)
    settings.state_dir = tmp_path / "copy"
    shutil.copytree(finished.state_dir, settings.state_dir)
    async with AsyncExitStack() as stack:
        keys = stack.enter_context(sealed_records(settings))
        memories, vectors = open_memory_store(settings), open_vector_store(settings)
        stack.push_async_callback(memories.close)
        stack.push_async_callback(vectors.close)
        pipeline = open_pipeline(settings)
        reader = pipeline.client.reader()
        stack.push_async_callback(reader.close)
        for part in (0, 1):
            standing = StandingLog(pipeline, part)
            await standing.read(reader)
            for key, row in standing.live():
                if row.memory is not None and row.memory["form"] == "MEMORY" and row.block is not None:
                    yield Opened(settings, memories, vectors, keys.leaf_secret, part, key, row)
                    return
        raise AssertionError("no memory to damage")


async def test_nothing_is_found_where_nothing_is_wrong(finished: Settings, tmp_path: Path) -> None:
    async with opened(finished, tmp_path) as at:
        report = await at.verify(state_dir=at.settings.state_dir)
    assert report.differences == [] and report.skipped == []
    assert report.memories > 5 and report.blocks >= BLOCKS


async def missing_row(at: Opened) -> str:
    await at.memories.revert([at.fact])
    return "memory store: {whose}, block {block}: the row is missing"


async def extra_row(at: Opened) -> str:
    memory: Memory = {**at.fact["memory"], "id": b"x" * 32}  # type: ignore[typeddict-item, misc]
    await at.memories.apply([_fact(memory, Fact(b"c" * 32))])
    return "memory store: agent {agent}, memory " + (b"x" * 32).hex() + ": has a row too many"


async def extra_row_of_nobody(at: Opened) -> str:
    memory: Memory = {**at.fact["memory"], "agent": b"n" * 20}  # type: ignore[typeddict-item, misc]
    await at.memories.apply([_fact(memory, Fact(b"c" * 32))])
    return "memory store: agent 0x" + (b"n" * 20).hex() + ", memory {memory}: has a row too many, of an agent"


async def altered_row(at: Opened) -> str:
    await at.memories.revert([at.fact])
    memory: Memory = {**at.fact["memory"], "content": b"something else", "importance": 0.125}  # type: ignore[typeddict-item, misc]
    (name,) = at.row.presence.upserts
    await at.memories.apply([_fact(memory, name)])
    return "memory store: {whose}, block {block}: the memory differs in content, importance"


async def a_fact_too_many(at: Opened) -> str:
    assert at.row.memory is not None
    await at.memories.apply([_fact(at.row.memory, Fact(b"d" * 32), "DELETE")])
    return "memory store: {whose}, block {block}: the row counts 1 UPSERTs and 1 DELETEs that stand"


async def missing_vector(at: Opened) -> str:
    await at.vectors.delete([at.key])
    return "vectors: {whose}, block {block}: the vector is missing"


async def altered_vector(at: Opened) -> str:
    (found,) = await at.vectors.find([at.key])
    assert found is not None
    await at.vectors.upsert([VectorRow(*at.key, found.vector[::-1].copy(), found.block_hash, found.source)])
    return "vectors: {whose}, block {block}: the vector is not the one published"


async def altered_local_row(at: Opened) -> str:
    with (
        lmdb.open(str(state_path(at.settings.state_dir, "lattice", at.part)), max_dbs=2, map_size=1 << 30) as environment,
        environment.begin(write=True, db=environment.open_db(b"data")) as txn,
    ):
        assert txn.delete(b"m" + at.key[0] + at.key[1])
    return "local state of lattice/{part}: {whose}, block {block}: the row is missing"


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
    for written in (value, rows[-1].value):
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


async def test_an_altered_checkpoint_is_named(finished: Settings, tmp_path: Path) -> None:
    async with opened(finished, tmp_path) as at:
        pipeline = open_pipeline(at.settings)
        reader = pipeline.client.reader()
        tip = (await read_checkpoints(reader, "memory", at.part))["tip"]
        await reader.close()
        record = tip.record() | {"state_digest": bytes(32)}
        async with overwritten(at, topics.CHECKPOINTS, tip.key, codec().encode("Checkpoint", record)):
            (found,) = (await at.verify()).differences
    assert found.side == f"checkpoint of memory/{at.part}"
    assert found.what == "the state digest is not that of the log"


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
