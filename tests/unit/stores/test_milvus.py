"""Milvus Lite files: the pitfalls this adapter works around, pinned, and its errors."""

from __future__ import annotations

import builtins
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors.stores import LmdbVectorStore, open_vector_store
from connectors.stores.milvus import MilvusVectorStore
from connectors.stores.milvus.rows import row_key
from connectors.stores.milvus.store import FLUSH_AFTER
from streams.errors import ConfigurationError, StoreError
from streams.ports.stores import VectorRow
from streams.settings import Settings
from tests.unit.stores.facts import ALICE, BOB, h
from tests.unit.stores.recorder import Calls, Recorder
from tests.unit.stores.test_vector_contract import row, unit


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[MilvusVectorStore]:
    made = MilvusVectorStore(str(tmp_path / "v.db"))
    yield made
    await made.close()


@pytest.fixture
def calls(store: MilvusVectorStore) -> Calls:
    recorder = Recorder(store._client)
    store._client = recorder
    return recorder.calls


async def test_writes_are_upserts_of_distinct_keys(store: MilvusVectorStore, calls: Calls) -> None:
    """Half an unacknowledged batch may be there after a crash; it comes again and must not double."""
    rows = [row(n) for n in range(30)]
    await store.upsert(rows[:10])
    await store.upsert(rows + rows[:5])
    assert len(await store.search(ALICE, unit(1)[0], 1_000)) == 30
    assert {name for name, _ in calls} <= {"upsert", "search"}


async def test_delete_answers_with_a_list_which_nobody_reads(store: MilvusVectorStore) -> None:
    await store.upsert([row(1), row(2)])
    answer = store._client.delete(store._collection, ids=[row_key(ALICE, h(1))])
    assert isinstance(answer, list)  # a server answers {'delete_count': 1}, see test_milvus_server.py
    await store.delete([(ALICE, h(2)), (ALICE, h(3))])
    assert await store.search(ALICE, unit(1)[0], 5) == []


async def test_the_index_is_exact(store: MilvusVectorStore) -> None:
    index = store._client.describe_index(store._collection, "vector")
    assert index["index_type"] == store.index == "FLAT"
    assert index["metric_type"] == "IP"


async def test_rows_are_flushed_before_a_search_scans_them_slowly(store: MilvusVectorStore, calls: Calls) -> None:
    await store.upsert([row(n, vector=v) for n, v in enumerate(unit(1, FLUSH_AFTER))])
    await store.search(ALICE, unit(1)[0], 1)
    assert "flush" not in [name for name, _ in calls]
    await store.upsert([row(FLUSH_AFTER)])
    for _ in range(2):
        await store.search(ALICE, unit(1)[0], 1)
    assert [name for name, _ in calls].count("flush") == 1


async def test_batches_are_cut(store: MilvusVectorStore, calls: Calls) -> None:
    await store.upsert([row(n, vector=v) for n, v in enumerate(unit(1, 2_100))])
    await store.delete([(ALICE, h(n)) for n in range(2_050)])
    assert [name for name, _ in calls] == ["upsert"] * 3 + ["delete"] * 3
    assert len(await store.search(ALICE, unit(1)[0], 1_000)) == 50


async def test_a_server_that_large_requests_are_too_much_for_gets_smaller_ones(store: MilvusVectorStore) -> None:
    """The same request again, as large as before, would fail for ever."""

    class Weak(Recorder):
        most, refused = 150, 0

        def upsert(self, *arguments: Any, **options: Any) -> Any:
            if len(arguments[1]) > self.most:
                self.refused += 1
                raise TimeoutError("deadline exceeded")
            return self.client.upsert(*arguments, **options)

    weak = Weak(store._client)
    store._client, rows = weak, [row(n, vector=v) for n, v in enumerate(unit(1, 1_000))]
    for _ in range(6):
        try:
            await store.upsert(rows)
            break
        except StoreError:
            continue
    else:
        pytest.fail("it never came through")
    assert weak.refused <= 5
    assert len(await store.search(ALICE, unit(1)[0], 2_000)) == 1_000
    weak.most = 1_000
    for _ in range(8):
        await store.upsert(rows)
    assert store._batching.fits([4 * store.dimension] * 1_000) > 400, "it grows again"


async def test_a_partial_acknowledgement_is_an_error(store: MilvusVectorStore) -> None:
    class Partial(Recorder):
        def upsert(self, *arguments: Any, **options: Any) -> dict[str, int]:
            return {"upsert_count": 1}

    store._client = Partial(store._client)
    with pytest.raises(StoreError, match="acknowledged 1 of 2"):
        await store.upsert([row(1), row(2)])


async def test_a_failing_client_is_a_store_error(store: MilvusVectorStore) -> None:
    store._client.drop_collection(store._collection)
    with pytest.raises(StoreError, match=r"v\.db"):
        await store.upsert([row(1)])
    with pytest.raises(StoreError, match=r"v\.db"):
        await store.search(ALICE, unit(1)[0], 1)


async def test_a_collection_of_another_dimension_is_refused(tmp_path: Path) -> None:
    await MilvusVectorStore(str(tmp_path / "v.db"), dimension=8).close()
    with pytest.raises(ConfigurationError, match="dimension 8, not 384"):
        MilvusVectorStore(str(tmp_path / "v.db"))


OTHER = """
import sys
from connectors.stores.milvus import MilvusVectorStore
from streams.errors import StoreError
try:
    MilvusVectorStore(sys.argv[1])
except StoreError as error:
    print(error)
"""


async def test_a_file_belongs_to_one_process(store: MilvusVectorStore, tmp_path: Path) -> None:
    command = [sys.executable, "-c", OTHER, str(tmp_path / "v.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "cannot be opened" in done.stdout and "belongs to one process" in done.stdout


async def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    script = """
import asyncio, os, sys
from connectors.stores.milvus import MilvusVectorStore
from tests.unit.stores.facts import h
from tests.unit.stores.test_vector_contract import row
async def main():
    store = MilvusVectorStore(sys.argv[1])
    await store.upsert([row(n) for n in range(50)])
    await store.delete([(row(3).agent, h(3))])
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    command = [sys.executable, "-c", script, str(tmp_path / "v.db")]
    assert subprocess.run(command, timeout=60, check=False).returncode == -9
    store = MilvusVectorStore(str(tmp_path / "v.db"))
    found = {hit.memory_id for hit in await store.search(ALICE, unit(1)[0], 100)}
    assert found == {h(n) for n in range(50)} - {h(3)}
    await store.close()


def test_no_server_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.stores.milvus.client.READ_TIMEOUT", 1.0)
    with pytest.raises(StoreError, match=r"127.0.0.1:9 cannot be opened[\s\S]*Start the server"):
        MilvusVectorStore("http://127.0.0.1:9")
    with pytest.raises(StoreError, match="cannot be opened"):
        MilvusVectorStore("nonsense")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith(("pymilvus", "milvus_lite")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"pymilvus[\s\S]*monmouth\[milvus\]"):
        MilvusVectorStore(str(tmp_path / "v.db"))


async def test_the_settings_choose(tmp_path: Path) -> None:
    embedded = open_vector_store(Settings(state_dir=tmp_path))
    assert isinstance(embedded, LmdbVectorStore)
    await embedded.upsert([VectorRow(ALICE, h(1), unit(1)[0])])
    await embedded.close()
    assert (tmp_path / "vectors" / "data.mdb").exists()
    lite = open_vector_store(Settings(state_dir=tmp_path, rag={"vector_store_url": str(tmp_path / "x.db")}))
    assert isinstance(lite, MilvusVectorStore)
    await lite.close()


async def test_what_becomes_of_deleted_vectors_is_said_as_it_is(store: MilvusVectorStore) -> None:
    await store.upsert([row(1), row(2)])
    await store.delete([(ALICE, h(1))])
    assert store.name_of(BOB) != store.name_of(ALICE) != ""
    assert "until it is made anew" in await store.clear(store.name_of(ALICE))
    assert await store.search(ALICE, unit(1)[0], 5) == []
