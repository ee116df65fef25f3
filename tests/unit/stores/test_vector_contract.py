"""What every VectorStore promises, run against each implementation and the reference itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from connectors.stores.lmdb_vectors import LmdbVectorStore
from connectors.stores.milvus import MilvusVectorStore
from streams.errors import FencedError, StoreError
from streams.ports.stores import VectorRow, VectorStore
from tests.unit.stores.facts import ALICE, BOB, h
from tests.unit.stores.reference import DictVectorStore

DIMENSION = 384


Opener = Callable[[], VectorStore]


def _opener(name: str, request: pytest.FixtureRequest, folder: Path) -> Opener:
    match name:
        case "lmdb":
            return lambda: LmdbVectorStore(folder / "v")
        case "milvus-lite":
            return lambda: MilvusVectorStore(str(folder / "below" / "v.db"))
        case "milvus":
            return request.getfixturevalue("milvus_collection")
        case _:
            return DictVectorStore


KINDS = ["lmdb", "milvus-lite", pytest.param("milvus", marks=pytest.mark.milvus)]


@pytest.fixture(params=[*KINDS, "reference"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorStore]:
    made = _opener(request.param, request, tmp_path)()
    yield made
    await made.close()
    await made.close()


@pytest.fixture(params=KINDS)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens one and the same store again and again."""
    return _opener(request.param, request, tmp_path)


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


async def test_wrong_vectors_are_refused(opener: Opener) -> None:
    store = opener()
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


async def test_what_was_written_is_there_after_a_restart(opener: Opener) -> None:
    store = opener()
    await store.upsert([row(n) for n in range(20)])
    await store.delete([(ALICE, h(3))])
    identity = store.identity
    await store.close()
    store = opener()
    assert store.identity == identity
    assert {hit.memory_id for hit in await store.search(ALICE, unit(1)[0], 50)} == {h(n) for n in range(20) if n != 3}
    await store.close()


async def test_a_batch_that_comes_again_is_there_once(store: VectorStore) -> None:
    """After a crash half a batch may be there; it is written again, whole."""
    rows = [row(n) for n in range(40)]
    await store.upsert(rows[:17])
    await store.upsert(rows)
    await store.delete([(ALICE, h(n)) for n in range(10)])
    await store.upsert(rows)
    await store.delete([(ALICE, h(n)) for n in range(10)])
    assert sorted(hit.memory_id for hit in await store.search(ALICE, unit(1)[0], 1_000)) == [h(n) for n in range(10, 40)]


async def test_one_agents_few_rows_among_anothers_many_are_all_found(store: VectorStore) -> None:
    """0.5 % of the rows, where filtered approximate indexes lose most."""
    crowd, few = unit(1, 3_000), unit(2, 15)
    await store.upsert([row(n, BOB, v) for n, v in enumerate(crowd)])
    await store.upsert([row(n, ALICE, v) for n, v in enumerate(few)])
    for query in unit(3, 4):
        hits = await store.search(ALICE, query, 10)
        assert [hit.memory_id for hit in hits] == [h(int(n)) for n in np.argsort(-(few @ query))[:10]]


async def test_only_the_newest_owner_of_a_lane_writes(opener: Opener) -> None:
    store = opener()
    old, other = await store.claim(b"t.embedding/0"), await store.claim(b"t.embedding/1")
    await old.upsert([row(1), row(2)])
    new = await store.claim(b"t.embedding/0")
    assert {hit.memory_id for hit in await new.search(ALICE, unit(1)[0], 9)} == {h(1), h(2)}
    await new.delete([(ALICE, h(1))])
    await new.upsert([row(2, vector=unit(9)[0])])
    with pytest.raises(FencedError):
        await old.upsert([row(1), row(2)])
    with pytest.raises(FencedError):
        await old.delete([(ALICE, h(2))])
    await other.upsert([row(3)])
    await old.close()  # the files are the store's
    assert {hit.memory_id for hit in await store.search(ALICE, unit(1)[0], 9)} == {h(2), h(3)}
    found = await new.get(ALICE, h(2))
    assert found is not None and found.tobytes() == unit(9)[0].tobytes()
    assert new.identity == store.identity
    await store.close()
