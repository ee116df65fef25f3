"""The embedded vector store: its cache is bounded, follows other processes, and never hides a damaged row."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest

from connectors.stores.change_index import SPARE
from connectors.stores.lmdb_vectors import LmdbVectorStore
from streams.errors import StoreError
from streams.ports.stores import VectorRow
from tests.unit.stores.facts import ALICE, BOB, h
from tests.unit.stores.reference import DictVectorStore

D = 8


def unit(rng: np.random.Generator) -> np.ndarray:
    v = rng.standard_normal(D).astype(np.float32)
    return v / np.linalg.norm(v)


async def test_a_cached_matrix_follows_every_change(tmp_path: Path) -> None:
    """Random writes through one handle, searches through another, against a dictionary; also past a sweep of removed ids."""
    writer, reader, truth = LmdbVectorStore(tmp_path, D), LmdbVectorStore(tmp_path, D), DictVectorStore()
    rng = np.random.default_rng(7)
    for step in range(400):
        agent = (ALICE, BOB)[int(rng.integers(2))]
        if rng.random() < 0.6:
            rows = [VectorRow(agent, h(int(rng.integers(30))), unit(rng)) for _ in range(rng.integers(1, 4))]
            await writer.upsert(rows)
            await truth.upsert(rows)
        else:
            keys = [(agent, h(int(rng.integers(30)))) for _ in range(rng.integers(1, 12))]
            await writer.delete(keys)
            await truth.delete(keys)
        if step % (1 if step < 200 else SPARE + 6) == 0:
            for who in (ALICE, BOB):
                query = unit(rng)
                found, wanted = await reader.search(who, query, 40), await truth.search(who, query, 40)
                assert {hit.memory_id for hit in found} == {hit.memory_id for hit in wanted}
                np.testing.assert_allclose([x.score for x in found], [x.score for x in wanted], atol=1e-5)
    await writer.close()
    await reader.close()


async def test_the_cache_stays_within_its_bound(tmp_path: Path) -> None:
    store = LmdbVectorStore(tmp_path, D, cache_bytes=20_000)
    rng = np.random.default_rng(1)
    agents = [bytes([n]) * 20 for n in range(30)]
    for agent in agents:
        await store.upsert([VectorRow(agent, h(n), unit(rng)) for n in range(20)])
    for _ in range(3):
        for agent in agents:
            assert len(await store.search(agent, unit(rng), 100)) == 20
            assert 0 < store.cache.nbytes <= 20_000
    await store.close()


async def test_an_agent_larger_than_the_cache_is_searched_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.stores.lmdb_vectors.CHUNK", 64)
    small, large = LmdbVectorStore(tmp_path, D, cache_bytes=1_000), LmdbVectorStore(tmp_path, D)
    rng = np.random.default_rng(2)
    await small.upsert([VectorRow(ALICE, h(n), unit(rng)) for n in range(1_000)])
    for limit in (1, 7, 100, 2_000):
        query = unit(rng)
        chunked, whole = await small.search(ALICE, query, limit), await large.search(ALICE, query, limit)
        assert len(chunked) == min(limit, 1_000)
        assert chunked == whole
    assert small.cache.nbytes == 0
    await small.close()
    await large.close()


async def test_repeating_a_write_leaves_the_cached_matrix_as_it_is(tmp_path: Path) -> None:
    store = LmdbVectorStore(tmp_path, D)
    row = VectorRow(ALICE, h(1), unit(np.random.default_rng(3)))
    await store.upsert([row])
    await store.search(ALICE, row.vector, 1)
    before = store.cache.entry(ALICE).version
    await store.upsert([row])
    await store.delete([(ALICE, h(2))])
    await store.search(ALICE, row.vector, 1)
    assert store.cache.entry(ALICE).version == before
    await store.close()


async def test_an_emptied_agent_leaves_no_byte(tmp_path: Path) -> None:
    store = LmdbVectorStore(tmp_path, D)
    rng = np.random.default_rng(4)
    for n in range(SPARE + 5):
        await store.upsert([VectorRow(ALICE, h(n), unit(rng))])
    await store.search(ALICE, unit(rng), 1)
    await store.delete([(ALICE, h(n)) for n in range(SPARE + 5)])
    assert await store.search(ALICE, unit(rng), 1) == []
    assert store.cache.nbytes == 0
    await store.close()
    with lmdb.open(str(tmp_path), max_dbs=8) as env, env.begin() as txn:
        for name in (b"vectors", b"agents", b"changes", b"sequences"):
            assert list(txn.cursor(db=env.open_db(name, txn=txn))) == []


async def test_a_damaged_vector_is_named_not_returned(tmp_path: Path) -> None:
    store = LmdbVectorStore(tmp_path, D)
    await store.upsert([VectorRow(ALICE, h(1), unit(np.random.default_rng(5)))])
    await store.close()
    with lmdb.open(str(tmp_path), max_dbs=4) as env, env.begin(write=True) as txn:
        db = env.open_db(b"vectors", txn=txn)
        value = bytearray(txn.get(ALICE + h(1), db=db))
        value[20] ^= 1
        txn.put(ALICE + h(1), bytes(value), db=db)
    store = LmdbVectorStore(tmp_path, D)
    with pytest.raises(StoreError, match=h(1).hex()):
        await store.search(ALICE, unit(np.random.default_rng(5)), 1)
    with pytest.raises(StoreError, match="not readable"):
        await store.get(ALICE, h(1))
    await store.close()


async def test_a_store_of_another_dimension_is_refused(tmp_path: Path) -> None:
    await LmdbVectorStore(tmp_path, D).close()
    with pytest.raises(StoreError, match="format"):
        LmdbVectorStore(tmp_path, D + 1)


WRITER = """
import asyncio, sys
import numpy as np
from pathlib import Path
from connectors.stores.lmdb_vectors import LmdbVectorStore
from streams.ports.stores import VectorRow
async def main():
    store = LmdbVectorStore(Path(sys.argv[1]), 8)
    for line in sys.stdin:
        n = int(line)
        vector = np.zeros(8, np.float32); vector[n % 8] = 1
        key = (b"\\xaa" * 20, abs(n).to_bytes(32, "big"))
        await (store.upsert([VectorRow(*key, vector)]) if n > 0 else store.delete([key]))
        print("ok", flush=True)
asyncio.run(main())
"""


async def test_a_search_sees_what_another_process_wrote(tmp_path: Path) -> None:
    reader = LmdbVectorStore(tmp_path, 8)
    axis = np.eye(8, dtype=np.float32)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        for n in (3, 5, 11, -3, 3):
            child.stdin.write(f"{n}\n")
            child.stdin.flush()
            assert child.stdout.readline() == "ok\n"
            hits = await reader.search(ALICE, axis[abs(n) % 8], 5)
            assert (h(abs(n)) in {hit.memory_id for hit in hits}) == (n > 0)
        child.stdin.close()
        assert child.wait(10) == 0
    await reader.close()
