"""``monmouth verify`` on what a real pipeline left behind: silent where all is well, and each kind of damage is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import lmdb
import pytest

from connectors.chain.devchain import DevChain, DevNode, Step
from connectors.chain.devchain.steps import StepKind
from connectors.chain.rpc import RpcSource
from schemas.codec import codec
from schemas.records import Memory
from streams import topics
from streams.core.presence import Fact
from streams.ports.log import TopicPartition
from streams.ports.stores import VectorRow
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.state import state_path
from streams.settings import Settings
from streams.upkeep.pipeline import open_pipeline
from tests.e2e.finished import BLOCKS, SEED, Opened, fact_of, moves, opened

pytestmark = pytest.mark.kafka


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
