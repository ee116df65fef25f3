"""Memories in a real Cassandra and vectors in a real Milvus: what an operator does on embedded stores works there too.

A damage is named by ``verify`` and mended by ``recover``; of an agent that was erased through a gateway nothing can be read any
more, neither by asking nor in the servers' files.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.stores import open_memory_store, open_vector_store
from connectors.stores.milvus import MilvusVectorStore
from infra.cassandra import CassandraNode
from infra.milvus import LocalMilvus
from schemas.codec import codec
from streams.cli.wiring import lane_of
from streams.core.sealed import is_closed, is_erased
from streams.serving.client import AsyncClient
from streams.serving.client_errors import ErasedError
from streams.serving.server import Gateway, Stores
from streams.settings import CassandraSettings, Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.upkeep.difference import Report
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.recover import Recovery, Strategy, recover
from streams.upkeep.standing import StandingLog, StandingRow
from streams.upkeep.verify import Sides, verify
from streams.vault.keys import FileKeyStore
from streams.vault.sealing import sealed_records
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.finished import fact_of
from tests.e2e.pipeline import eventually, small
from tests.erase.scan import findings_meanwhile, spellings
from tests.identity import operator_token

pytestmark = [pytest.mark.kafka, pytest.mark.cassandra, pytest.mark.milvus]
NAMES = ("memory", "embedding", "lattice")
ALICE, BOB = b"\xa1" * 20, b"\xb0" * 20
SECRETS = [f"canary-{number}: the passphrase is under the blue flowerpot {number}" for number in range(3)]
TAG, SUBJECT = "canary-tag-of-a-private-label", "canary-subject-of-a-statement"
EVERYTHING = b"\xff" * 32


@dataclass
class Ground:
    """A pipeline at work on both servers, and a gateway."""

    settings: Settings
    stores: Stores
    keys: FileKeyStore
    client: AsyncClient

    async def report(self) -> Report:
        pipeline = open_pipeline(self.settings)
        reader = pipeline.client.reader()
        sides = Sides(memories=self.stores.memories, vectors=self.stores.vectors, secrets=self.keys.leaf_secret)
        try:
            return await verify(pipeline, reader, sides, list(range(self.settings.kafka.partitions)), pause=0.2)
        finally:
            await reader.close()

    async def faults(self) -> list[str]:
        return [str(each) for each in (await self.report()).differences]

    async def row(self) -> tuple[int, tuple[bytes, bytes], StandingRow]:
        """A memory that a block left, with its partition."""
        pipeline = open_pipeline(self.settings)
        reader = pipeline.client.reader()
        try:
            for part in range(self.settings.kafka.partitions):
                standing = StandingLog(pipeline, part)
                await standing.read(reader)
                for key, row in standing.live():
                    if row.memory is not None and row.memory["form"] == "MEMORY" and row.block is not None:
                        return part, key, row
        finally:
            await reader.close()
        raise AssertionError("no memory to damage")

    async def owned(self, name: str, part: int) -> Any:
        """A store as somebody who took the partition over has it."""
        store = self.stores.memories if name == "memory" else self.stores.vectors
        return await store.claim(lane_of(self.settings)(name, part))


@asynccontextmanager
async def ground(settings: Settings) -> AsyncIterator[Ground]:
    settings.gateway.port = settings.gateway.metrics_port = 0
    async with small(settings, NAMES, blocks=6) as pipeline, AsyncExitStack() as stack:
        await pipeline.agree()
        keys = stack.enter_context(sealed_records(settings))
        stores = Stores(open_memory_store(settings), open_vector_store(settings))
        stack.push_async_callback(stores.memories.close)
        stack.push_async_callback(stores.vectors.close)
        signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
        verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
        gateway = Gateway(settings, stores, HashEmbedder(), verifier)
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        client = await stack.enter_async_context(AsyncClient(gateway.url, token=operator_token(settings)))
        yield Ground(settings, stores, keys, client)


async def test_damage_is_named_and_mended_and_an_erased_agent_is_in_no_file(
    kafka_settings: Settings,
    cassandra: CassandraNode,
    cassandra_session: Any,
    cassandra_settings: CassandraSettings,
    milvus: LocalMilvus,
) -> None:
    settings = kafka_settings.model_copy(update={"cassandra": cassandra_settings})
    settings.rag.vector_store_url, settings.rag.vector_collection = milvus.url, f"outside_{uuid.uuid4().hex[:8]}"
    async with ground(settings) as at:
        await eventually(at.faults, 30)
        await damaged_and_mended(at)
        await written(at.client)
        await eventually(at.faults, 30)
        await erased(at, cassandra, cassandra_session, milvus)


async def damaged_and_mended(at: Ground) -> None:
    """A row is gone from Cassandra, and a vector from Milvus."""
    part, key, row = await at.row()
    (name,) = row.presence.upserts
    assert row.memory is not None
    await (await at.owned("memory", part)).revert([fact_of(row.memory, name)])
    await (await at.owned("embedding", part)).delete([key])
    assert {each.side for each in (await at.report()).differences} == {"memory store", "vectors"}
    mending = Recovery(
        open_pipeline(at.settings), at.stores.memories, at.stores.vectors, at.keys.leaf_secret, lane_of(at.settings)
    )
    found = await recover(mending, Strategy.FULL, key[0], part)
    assert (found.put_in, found.taken_out, found.vectors) == (1, 0, 1)
    await eventually(at.faults, 30)


async def written(client: AsyncClient) -> None:
    alice, bob = ("0x" + agent.hex() for agent in (ALICE, BOB))
    for text in SECRETS:
        await client.store(alice, text, tags=[TAG], subject=SUBJECT, predicate="is", wait=30)
        await client.store(bob, f"of another agent {text[-1]}", wait=30)
    assert {item.text for item in (await client.query_context(alice, SECRETS[2], min_similarity=-1)).items} & set(SECRETS)


def rows_of(session: Any, agent: bytes, buckets: int) -> list[bytes]:
    """What Cassandra holds of an agent's memories, as it lies there."""
    asked = "SELECT wire FROM tests.memories WHERE agent = %s AND bucket = %s"
    return [row.wire for bucket in range(buckets) for row in session.execute(asked, (agent, bucket)) if row.wire]


async def erased(at: Ground, node: CassandraNode, session: Any, milvus: LocalMilvus) -> None:
    vectors = at.stores.vectors
    assert isinstance(vectors, MilvusVectorStore)
    name, buckets = vectors.name_of(ALICE), at.settings.cassandra.buckets
    wires = rows_of(session, ALICE, buckets)
    texts = {f"{text[:9]} {how}": needle for text in (*SECRETS, TAG, SUBJECT) for how, needle in spellings(text).items()}
    sealed = {f"row {n}": wire[len(wire) // 2 :][:32] for n, wire in enumerate(wires)}
    assert len(wires) == len(SECRETS)
    node.tool("flush")
    assert len(set(findings_meanwhile([node.folder / "data"], sealed))) >= len(SECRETS), "what is looked for would be found"
    opened = [codec().decode(wire)[1] for wire in wires]
    assert {memory["content"].decode() for memory in opened} == set(SECRETS)

    answer = await at.client.erase("0x" + ALICE.hex(), wait=30)
    if not answer.done:  # asked for again, it goes on
        answer = await at.client.erase("0x" + ALICE.hex(), wait=30)
    assert answer.done and answer.receipt is not None and answer.receipt["memories"] == len(SECRETS)

    with pytest.raises(ErasedError):
        await at.client.retrieve("0x" + ALICE.hex())
    assert len((await at.client.retrieve("0x" + BOB.hex())).items) == len(SECRETS)
    assert rows_of(session, ALICE, buckets) == [] != rows_of(session, BOB, buckets)
    asked = {"filter": f'agent == "{name}"', "output_fields": ["key"], "consistency_level": "Strong"}
    assert vectors._client.query(vectors._collection, **asked) == []
    again = [codec().decode(wire)[1] for wire in wires]
    assert all(is_closed(memory) or is_erased(memory) for memory in again), "a copy that somebody kept opens nowhere any more"
    compacted(node, session)
    folders = [node.folder, milvus.folder, at.settings.state_dir]
    assert findings_meanwhile(folders, texts) == []
    await eventually(lambda: left(node, sealed), 30)


def compacted(node: CassandraNode, session: Any) -> None:
    """Tombstones are dropped as if ``gc_grace_seconds`` had passed."""
    tables = [
        row.table_name for row in session.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'tests'")
    ]
    kept = {"memories", "listings", "edges", "statements", "turns", "blocks", "changes"} & set(tables)
    for table in kept:
        session.execute(f"ALTER TABLE tests.{table} WITH gc_grace_seconds = 0")
    time.sleep(1.1)  # a tombstone's age is told in seconds
    node.tool("flush")
    node.tool("compact", "tests")
    for table in kept:
        session.execute(f"ALTER TABLE tests.{table} WITH gc_grace_seconds = 864000")


async def left(node: CassandraNode, sealed: dict[str, bytes]) -> list[str]:
    """Ciphertext that still stands in the files of tables, which go a moment after the compaction that replaced them."""
    return findings_meanwhile([node.folder / "data"], sealed)
