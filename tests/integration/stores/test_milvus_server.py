"""A real Milvus server: who sees which write, who may write, and what survives it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from pymilvus import DataType

from connectors.stores.milvus import MilvusVectorStore
from connectors.stores.milvus.collection import partition_of
from connectors.stores.milvus.rows import entity, row_key
from infra.milvus import LocalMilvus
from streams.errors import ConfigurationError, FencedError, StoreError
from streams.ports.stores import VectorRow
from tests.conftest import ROOT
from tests.unit.stores.facts import ALICE, BOB, h
from tests.unit.stores.recorder import Recorder
from tests.unit.stores.test_vector_contract import row, unit

pytestmark = pytest.mark.milvus
LANE = b"t.embedding/0"
Open = Callable[[], MilvusVectorStore]


@pytest.fixture
async def store(milvus_collection: Open) -> AsyncIterator[MilvusVectorStore]:
    made = milvus_collection()
    yield made
    await made.close()


async def test_every_read_follows_the_own_write(store: MilvusVectorStore) -> None:
    """Twenty times, upserts and deletes: at the server's default level it is none of twenty, and pymilvus' sessions know no
    deletes."""
    for n in range(10):
        await store.upsert([row(n)])
        assert len(await store.search(ALICE, unit(1)[0], 50)) == n + 1
    for n in range(10):
        await store.delete([(ALICE, h(n))])
        assert await store.get(ALICE, h(n)) is None
        assert len(await store.search(ALICE, unit(1)[0], 50)) == 9 - n


async def test_another_process_sees_what_was_acknowledged(store: MilvusVectorStore, milvus_collection: Open) -> None:
    gateway = milvus_collection()
    for n in range(5):
        await store.upsert([row(n)])
        assert len(await gateway.search(ALICE, unit(1)[0], 50)) == n + 1
    await gateway.close()


async def test_who_is_told_waits_only_when_others_wrote(store: MilvusVectorStore, milvus_collection: Open) -> None:
    gateway = milvus_collection()
    gateway._client = recorder = Recorder(gateway._client)

    def asked() -> int:
        return recorder.count("_get_connection")

    gateway.catch_up()
    await gateway.search(ALICE, unit(1)[0], 5)
    await asyncio.to_thread(gateway._writer.submit(int).result)  # behind the question that the news led to
    before = asked()
    assert before in (1, 2)
    for _ in range(3):
        await gateway.search(ALICE, unit(1)[0], 5)
    assert asked() == before
    moments = [options["guarantee_timestamp"] for name, options in recorder.calls if name == "search"][1:]
    assert len(set(moments)) == 1 and moments[0] > 0
    for n in range(5):
        await store.upsert([row(n)])
        gateway.catch_up()
        assert len(await gateway.search(ALICE, unit(1)[0], 50)) == n + 1
    await gateway.close()


async def test_an_owner_waits_for_its_own_rows_only(store: MilvusVectorStore) -> None:
    """What an owner looks up before it computes are rows it has not written: no wait on the way of each batch."""
    store._client = recorder = Recorder(store._client)
    owner = await store.claim(LANE)
    await owner.find([(ALICE, h(99))])
    before = recorder.count("_get_connection")
    await owner.upsert([row(1)])
    assert await owner.find([(ALICE, h(2))]) == [None]
    assert recorder.count("_get_connection") == before
    (found,) = await owner.find([(ALICE, h(1))])
    assert found is not None
    assert recorder.count("_get_connection") == before + 1


async def test_delete_answers_with_a_count_which_nobody_reads(store: MilvusVectorStore) -> None:
    await store.upsert([row(1), row(2)])
    key = row_key(ALICE, h(1))
    assert key is not None
    answer = store._client.delete(store._collection, ids=[key], partition_name=partition_of(key))
    assert isinstance(answer, dict) and answer["delete_count"] == 1  # Milvus Lite answers with a list of ids
    await store.delete([(ALICE, h(2)), (ALICE, h(3))])
    assert await store.search(ALICE, unit(1)[0], 5) == []


async def test_pooled_search_looks_at_the_agents_it_is_given(store: MilvusVectorStore) -> None:
    agents = [bytes([n]) * 20 for n in range(1, 41)]
    vectors = {agent: unit(agent[0], 5) for agent in agents}
    await store.upsert([row(n, agent, v) for agent in agents for n, v in enumerate(vectors[agent])])
    asked = set(agents[:25])
    query = unit(1_000)[0]
    hits = await store.nearest(asked, query, 12)
    scores = [(float(v @ query), agent, h(n)) for agent in asked for n, v in enumerate(vectors[agent])]
    scores.sort(key=lambda each: (-each[0], each[1], each[2]))
    assert [(hit.agent, hit.memory_id) for hit in hits] == [(agent, memory_id) for _, agent, memory_id in scores[:12]]
    assert await store.nearest(set(), query, 12) == []
    assert await store.nearest({b"\x7f" * 20}, query, 12) == []


async def test_a_late_write_is_refused_or_is_older(store: MilvusVectorStore) -> None:
    """A former owner that never stops writing, while others take over again and again and delete what it wrote."""
    for _ in range(8):
        old = await store.claim(LANE)
        ended: list[Exception] = []

        def write_on(owner: MilvusVectorStore = old, ended: list[Exception] = ended) -> None:
            made = entity(row(1), owner.dimension)
            assert made is not None
            try:
                while True:
                    owner._upsert([made])  # in a thread of its own: the writer's would keep the order
            except FencedError as error:
                ended.append(error)

        thread = threading.Thread(target=write_on)
        thread.start()
        await asyncio.sleep(0.03)
        new = await store.claim(LANE)
        await new.delete([(ALICE, h(1))])
        await asyncio.to_thread(thread.join, 10)
        assert ended
        assert await store.get(ALICE, h(1)) is None, "it put a deleted vector back"


PAUSED = """
import asyncio, os, signal, sys
from connectors.stores.milvus import MilvusVectorStore
from streams.errors import FencedError
from tests.unit.stores.facts import ALICE, h
from tests.unit.stores.recorder import Recorder
from tests.unit.stores.test_vector_contract import row, unit
async def main():
    store = MilvusVectorStore(sys.argv[1], sys.argv[2])
    owner = await store.claim(b"t.embedding/0")
    await owner.upsert([row(1), row(2)])
    os.kill(os.getpid(), signal.SIGSTOP)  # in the middle of its work
    for late in (owner.upsert([row(1), row(3)]), owner.delete([(ALICE, h(2))])):
        try:
            await late
            print("written")
        except FencedError:
            print("fenced")
    await store.close()
asyncio.run(main())
"""


async def test_a_paused_worker_that_wakes_up_changes_nothing(store: MilvusVectorStore, milvus: LocalMilvus) -> None:
    command = [sys.executable, "-c", PAUSED, milvus.url, store._collection]
    paused = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        _, status = await asyncio.to_thread(os.waitpid, paused.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        new = await store.claim(LANE)
        await new.delete([(ALICE, h(1))])
        await new.upsert([row(2, vector=unit(9)[0])])
        paused.send_signal(signal.SIGCONT)
        said, _ = await asyncio.to_thread(paused.communicate, None, 60)
    finally:
        paused.kill()
    assert said.split() == ["fenced", "fenced"]
    assert [hit.memory_id for hit in await store.search(ALICE, unit(9)[0], 9)] == [h(2)]
    found = await store.get(ALICE, h(2))
    assert found is not None and found.tobytes() == unit(9)[0].tobytes()


async def test_two_who_claim_at_once_are_told_apart(store: MilvusVectorStore, milvus_collection: Open) -> None:
    other = milvus_collection()
    for _ in range(5):
        claims = await asyncio.gather(store.claim(LANE), other.claim(LANE), return_exceptions=True)
        writes = await asyncio.gather(
            *(claim.upsert([row(1)]) for claim in claims if isinstance(claim, MilvusVectorStore)), return_exceptions=True
        )
        assert sum(write is None for write in writes) == 1
        assert all(isinstance(each, FencedError) for each in [*writes, *claims] if isinstance(each, BaseException))
    await other.close()


async def test_what_was_acknowledged_survives_kill_9(milvus: LocalMilvus, store: MilvusVectorStore) -> None:
    acknowledged: set[bytes] = set()
    failed: list[StoreError] = []
    store_failure = "connectors.stores.milvus.store"

    async def write() -> None:
        for n in range(100_000):
            batch = [row(20 * n + k, vector=v) for k, v in enumerate(unit(n, 20))]
            try:
                await store.upsert(batch)
            except StoreError as error:
                failed.append(error)
                return
            acknowledged.update(each.memory_id for each in batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{store_failure}.TIMEOUT", 2.0)
        patch.setattr(f"{store_failure}.READ_TIMEOUT", 1.0)
        writing = asyncio.create_task(write())
        while len(acknowledged) < 500:
            await asyncio.sleep(0.01)
        milvus.kill()
        await writing
        assert "Check that the Milvus server runs" in failed[0].hint
        with pytest.raises(StoreError, match=r"vector store http://127"):
            await store.search(ALICE, unit(1)[0], 5)
    url = store.access.uri
    await asyncio.to_thread(milvus.start)
    assert milvus.url == url
    found = await _when_loaded(store, [(ALICE, memory_id) for memory_id in sorted(acknowledged)])
    missing = sum(each is None for each in found)
    assert missing == 0, f"{missing} of {len(acknowledged)} acknowledged rows are gone"
    await store.upsert([row(1)])
    assert (await store.get(ALICE, h(1))) is not None


async def _when_loaded(store: MilvusVectorStore, keys: list[tuple[bytes, bytes]]) -> list[VectorRow | None]:
    """The server answers before it has the collection in memory again, and says so."""
    for _ in range(300):
        try:
            return await store.find(keys)
        except StoreError as error:
            last = error
            await asyncio.sleep(0.2)
    raise last


async def test_a_collection_that_was_made_anew_is_noticed(milvus: LocalMilvus) -> None:
    name = f"gone_{uuid.uuid4().hex[:8]}"
    store = MilvusVectorStore(milvus.url, name, dimension=8, index="HNSW")
    assert store.index == "HNSW"
    first = store.identity
    owner = await store.claim(LANE)
    for alias in store._client.list_aliases(name)["aliases"]:
        store._client.drop_alias(alias)
    store._client.drop_collection(name)
    vector = np.eye(8, dtype=np.float32)[0]
    with pytest.raises(StoreError, match="not found") as caught:
        await owner.upsert([VectorRow(ALICE, h(1), vector)])
    assert not isinstance(caught.value, FencedError) and "made anew" in caught.value.hint
    with pytest.raises(StoreError, match="collection not found"):
        await store.search(ALICE, vector, 1)
    await store.close()
    again = MilvusVectorStore(milvus.url, name, dimension=8)
    assert again.identity not in (b"", first)
    again._client.drop_collection(name)
    await again.close()


async def test_collections_that_are_not_ours_are_refused(
    milvus: LocalMilvus, store: MilvusVectorStore, caplog: pytest.LogCaptureFixture
) -> None:
    again = MilvusVectorStore(milvus.url, store._collection, index="HNSW")
    assert again.index == "FLAT"
    assert "keeps its index FLAT" in caplog.text
    await again.close()
    with pytest.raises(ConfigurationError, match="dimension 384, not 8"):
        MilvusVectorStore(milvus.url, store._collection, dimension=8)
    name = f"old_{uuid.uuid4().hex[:8]}"
    schema = store._client.create_schema(auto_id=False)
    schema.add_field("key", DataType.VARCHAR, max_length=104, is_primary=True)
    schema.add_field("agent", DataType.VARCHAR, max_length=40)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=384)
    store._client.create_collection(name, schema=schema)
    try:
        with pytest.raises(ConfigurationError, match="format monmouth/vectors/2") as caught:
            MilvusVectorStore(milvus.url, name)
        assert "rag.vector_collection" in caught.value.hint
    finally:
        store._client.drop_collection(name)


async def test_nothing_in_a_row_names_agent_memory_or_block(store: MilvusVectorStore) -> None:
    await store.upsert([VectorRow(ALICE, h(1), unit(1)[0], h(7), b"a source"), row(1, BOB)])
    rows = store._client.query(store._collection, filter='key != ""', output_fields=["*"], consistency_level="Strong")
    assert len(rows) == 2 and len({found["key"][32:] for found in rows}) in (1, 2)
    for found in rows:
        assert set(found) == {"key", "agent", "sealed", "vector"}
        assert ALICE.hex() not in str(found) and BOB.hex() not in str(found)
