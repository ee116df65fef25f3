"""What every VectorStore promises, run against each implementation and the reference itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from connectors.stores.lmdb_vectors import LmdbVectorStore
from connectors.stores.milvus import MilvusVectorStore
from streams.errors import StoreError
from streams.ports.stores import VectorRow, VectorStore
from tests.unit.stores.facts import ALICE, BOB, h
from tests.unit.stores.reference import DictVectorStore

DIMENSION = 384


@pytest.fixture(params=["lmdb", "milvus-lite", "reference"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorStore]:
    made: VectorStore
    match request.param:
        case "lmdb":
            made = LmdbVectorStore(tmp_path / "v")
        case "milvus-lite":
            made = MilvusVectorStore(str(tmp_path / "below" / "v.db"))
        case _:
            made = DictVectorStore()
    yield made
    await made.close()
    await made.close()


def unit(seed: int, count: int = 1) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def row(n: int, agent: bytes = ALICE, vector: np.ndarray | None = None) -> VectorRow:
    return VectorRow(agent, h(n), unit(n)[0] if vector is None else vector, h(77))


async def test_exact_neighbours(store: VectorStore) -> None:
    vectors = unit(1, 200)
    await store.upsert([row(n, vector=v) for n, v in enumerate(vectors)])
    query = unit(2)[0]
    hits = await store.search(ALICE, query, 10)
    truth = np.argsort(-(vectors @ query))[:10]
    assert [hit.memory_id for hit in hits] == [h(int(n)) for n in truth]
    np.testing.assert_allclose([hit.score for hit in hits], (vectors @ query)[truth], atol=1e-5)
    assert {hit.agent for hit in hits} == {ALICE}


async def test_get_returns_the_vector_bit_for_bit(store: VectorStore) -> None:
    await store.upsert([row(1)])
    found = await store.get(ALICE, h(1))
    assert found is not None and found.dtype == np.float32
    assert found.tobytes() == unit(1)[0].tobytes()
    assert await store.get(ALICE, h(2)) is None
    assert await store.get(BOB, h(1)) is None


async def test_find_returns_whole_rows(store: VectorStore) -> None:
    rows = [VectorRow(ALICE, h(1), unit(1)[0], h(7), b"source"), VectorRow(BOB, h(1), unit(2)[0]), row(3)]
    await store.upsert(rows)
    found = await store.find([(BOB, h(1)), (BOB, h(2)), (ALICE, h(1)), (ALICE, h(3)), (BOB, h(1))])
    assert [None if r is None else (r.agent, r.memory_id, r.block_hash, r.source) for r in found] == [
        (BOB, h(1), b"", b""), None, (ALICE, h(1), h(7), b"source"), (ALICE, h(3), h(77), b""), (BOB, h(1), b"", b"")
    ]  # fmt: skip
    assert found[2] is not None and found[2].vector.tobytes() == unit(1)[0].tobytes()
    assert await store.find([]) == []


async def test_upsert_replaces_and_repeats(store: VectorStore) -> None:
    await store.upsert([row(1), row(2)])
    await store.upsert([row(1), row(1, vector=unit(9)[0])])  # the last of a batch counts
    await store.upsert([row(1, vector=unit(9)[0])])
    hits = await store.search(ALICE, unit(9)[0], 10)
    assert [hit.memory_id for hit in hits] == [h(1), h(2)]
    assert hits[0].score == pytest.approx(1, abs=1e-5)


async def test_deleted_vectors_are_not_found(store: VectorStore) -> None:
    await store.upsert([row(n) for n in range(5)])
    await store.delete([(ALICE, h(1)), (ALICE, h(99)), (BOB, h(2))])
    assert {hit.memory_id for hit in await store.search(ALICE, unit(1)[0], 10)} == {h(0), h(2), h(3), h(4)}
    assert await store.get(ALICE, h(1)) is None
    await store.delete([(ALICE, h(n)) for n in range(5)])
    await store.delete([])
    assert await store.search(ALICE, unit(1)[0], 10) == []
    await store.upsert([row(1)])
    assert [hit.memory_id for hit in await store.search(ALICE, unit(1)[0], 10)] == [h(1)]


async def test_never_another_agents_vector(store: VectorStore) -> None:
    same = unit(5)[0]
    await store.upsert([row(n, agent, same) for n, agent in enumerate((ALICE, BOB, b"\x00" * 20, b"\xff" * 20))])
    for n, agent in enumerate((ALICE, BOB, b"\x00" * 20, b"\xff" * 20)):
        hits = await store.search(agent, same, 100)
        assert [(hit.agent, hit.memory_id) for hit in hits] == [(agent, h(n))]
    assert await store.search(b"\x01" * 20, same, 100) == []


async def test_limits(store: VectorStore) -> None:
    await store.upsert([row(n) for n in range(5)])
    assert await store.search(ALICE, unit(1)[0], 0) == []
    assert len(await store.search(ALICE, unit(1)[0], 3)) == 3
    assert len(await store.search(ALICE, unit(1)[0], 1_000)) == 5


async def test_equal_vectors_rank_by_id(store: VectorStore) -> None:
    await store.upsert([row(n, vector=unit(3)[0]) for n in (4, 2, 9, 1)])
    assert [hit.memory_id for hit in await store.search(ALICE, unit(3)[0], 10)] == [h(1), h(2), h(4), h(9)]


@pytest.mark.parametrize("name", ["lmdb", "milvus-lite"])
async def test_wrong_vectors_are_refused(name: str, tmp_path: Path) -> None:
    store: VectorStore = LmdbVectorStore(tmp_path) if name == "lmdb" else MilvusVectorStore(str(tmp_path / "v.db"))
    for wrong in (np.zeros(384, np.float32), np.full(384, np.nan, np.float32), unit(1)[0] * 2, unit(1)[0][:100]):
        with pytest.raises(StoreError):
            await store.upsert([row(1), row(2, vector=wrong)])
    for wrong in (np.zeros(384, np.float32), np.full(384, np.inf, np.float32), unit(1)[0][:100], unit(1)):
        with pytest.raises(StoreError):
            await store.search(ALICE, wrong, 5)
    for short in (b"", ALICE[:5]):
        with pytest.raises(StoreError, match="20 bytes"):
            await store.search(short, unit(1)[0], 5)
    assert await store.get(ALICE, h(1)) is None
    await store.upsert([row(1)])
    assert len(await store.search(ALICE, unit(1)[0] * 3, 5)) == 1  # a question need not be normalised
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.search(ALICE, unit(1)[0], 5)
    with pytest.raises(StoreError, match="closed"):
        await store.upsert([row(1)])


@pytest.mark.parametrize("name", ["lmdb", "milvus-lite"])
async def test_what_was_written_is_there_after_a_restart(name: str, tmp_path: Path) -> None:
    def opened() -> VectorStore:
        return LmdbVectorStore(tmp_path) if name == "lmdb" else MilvusVectorStore(str(tmp_path / "v.db"))

    store = opened()
    await store.upsert([row(n) for n in range(20)])
    await store.delete([(ALICE, h(3))])
    await store.close()
    store = opened()
    assert {hit.memory_id for hit in await store.search(ALICE, unit(1)[0], 50)} == {h(n) for n in range(20) if n != 3}
    await store.close()
