"""A pipeline that worked for a while and ended, for tests of what an operator does then; each works on a copy of its folder."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.chain.devchain import DevNode, Step
from connectors.chain.devchain.steps import StepKind
from connectors.stores import open_memory_store, open_vector_store
from infra.topics import apply
from schemas.records import Memory, MemoryFact
from streams.core.block import ZERO_HASH
from streams.core.presence import Fact
from streams.ports.stores import MemoryStore, VectorStore
from streams.settings import KafkaSettings, Settings
from streams.upkeep.difference import Report
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.standing import StandingLog, StandingRow
from streams.upkeep.verify import Sides, verify
from streams.vault.sealing import sealed_records
from tests.e2e.pipeline import small

SEED, BLOCKS = 7, 6


def moves(node: DevNode) -> None:
    for step in (Step(StepKind.REORG, 2), Step(StepKind.ADVANCE), Step(StepKind.ADVANCE)):
        for _ in node.apply(step):
            pass


@pytest.fixture(scope="session")
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
        return fact_of(self.row.memory, name)


def fact_of(memory: Memory, name: Fact, op: Any = "UPSERT") -> MemoryFact:
    block: Any = {"number": name.block_number, "hash": name.block_hash, "parent": ZERO_HASH} if name.block_hash else None
    return MemoryFact(op=op, block=block, cause=name.cause, memory_id=memory["id"], owner=memory["agent"], memory=memory)  # type: ignore[typeddict-item, typeddict-unknown-key]


@asynccontextmanager
async def opened(finished: Settings, tmp_path: Path, *, in_place: bool = False) -> AsyncIterator[Opened]:
    """A copy of the folder, unless the very one is asked for."""
    settings = finished.model_copy(deep=True)
    if not in_place:
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
