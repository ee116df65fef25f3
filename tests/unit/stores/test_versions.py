"""Versions and changes, which every store keeps the same way or says that it cannot."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import lmdb
import numpy as np
import pytest
from xxhash import xxh3_64_digest

from connectors.stores import LmdbMemoryStore, LmdbVectorStore, ReadOnlyVectorStore
from connectors.stores.cassandra import CassandraMemoryStore
from connectors.stores.change_index import SPARE
from connectors.stores.milvus import MilvusVectorStore
from schemas.defaults import plain_edge
from streams.core.presence import everything
from streams.errors import StoreError
from streams.ports.stores import MemoryStore, VectorRow, VectorStore, Version
from tests.conftest import ROOT
from tests.unit.stores.facts import ALICE, BOB, block, delete, h, upsert
from tests.unit.stores.follower import Follower
from tests.unit.stores.reference import DictMemoryStore, DictVectorStore

AXES = np.eye(384, dtype=np.float32)


def row(n: int, agent: bytes = ALICE, axis: int | None = None) -> VectorRow:
    return VectorRow(agent, h(n), AXES[n if axis is None else axis])


@pytest.fixture(params=["lmdb", pytest.param("cassandra", marks=pytest.mark.cassandra), "reference"])
async def memories(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MemoryStore]:
    made: MemoryStore
    if request.param == "lmdb":
        made = LmdbMemoryStore(tmp_path / "m")
    elif request.param == "cassandra":
        made = CassandraMemoryStore(request.getfixturevalue("cassandra_settings"))
    else:
        made = DictMemoryStore()
    yield made
    await made.close()


@pytest.fixture(params=["lmdb", "read only", "reference"])
async def vectors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[VectorStore, VectorStore]]:
    """Where to write and where to read."""
    made: VectorStore = DictVectorStore() if request.param == "reference" else LmdbVectorStore(tmp_path / "v")
    yield made, ReadOnlyVectorStore(made) if request.param == "read only" else made
    await made.close()


async def test_the_version_of_memories_moves_with_each_change_and_only_then(memories: MemoryStore) -> None:
    seen = [await memories.version(ALICE)]
    assert seen == [Version()]
    made, gone = upsert(1, at=block(3)), delete(1, at=block(4))
    await memories.apply([made])
    seen.append(await memories.version(ALICE))
    await memories.apply([made, made])
    await memories.revert([gone])
    await memories.apply([upsert(1, BOB)])
    assert await memories.version(ALICE) == seen[-1]
    for change in (memories.apply([gone]), memories.apply([upsert(2)]), memories.revert([gone]), memories.revert([made])):
        await change
        seen.append(await memories.version(ALICE))
    assert seen == sorted(set(seen)) and None not in seen  # type: ignore[type-var]
    await memories.revert([upsert(2)])
    seen.append(await memories.version(ALICE))
    assert (seen[-1] or Version()).sequence == 0
    await memories.apply([upsert(2)])
    seen.append(await memories.version(ALICE))
    await memories.revert([upsert(2)])
    seen.append(await memories.version(ALICE))  # empty as before, and told apart from before
    assert seen == sorted(set(seen))  # type: ignore[type-var]


async def test_the_version_of_vectors_moves_with_each_change(vectors: tuple[VectorStore, VectorStore]) -> None:
    store, reader = vectors
    seen = [await reader.version(ALICE)]
    assert seen == [Version()]
    for change in (
        store.upsert([row(1), row(2)]),
        store.upsert([row(1, axis=9)]),
        store.delete([(ALICE, h(1))]),
        store.upsert([row(1)]),
    ):
        await change
        seen.append(await reader.version(ALICE))
    assert seen == sorted(set(seen))  # type: ignore[type-var]
    await store.delete([(ALICE, h(9)), (BOB, h(1))])
    await store.upsert([row(1, BOB)])
    assert await reader.version(ALICE) == seen[-1]
    await store.delete([(ALICE, h(1)), (ALICE, h(2))])
    emptied = await reader.version(ALICE)
    assert emptied is not None and emptied.sequence == 0 and emptied > (seen[-1] or Version())


async def test_changes_are_each_id_once_oldest_change_first(memories: MemoryStore) -> None:
    await memories.apply([upsert(n) for n in (1, 2, 3)])
    first = await memories.changes(ALICE, None, 10)
    assert first is not None and first.start_over and not first.more and sorted(first.ids) == [h(1), h(2), h(3)]
    await memories.apply([delete(2)])
    await memories.apply([upsert(4)])
    await memories.apply([delete(2, cause=7)])
    later = await memories.changes(ALICE, first.version, 10)
    assert later is not None and (later.ids, later.start_over, later.more) == ([h(4), h(2)], False, False)
    assert later.version == await memories.version(ALICE)
    none = await memories.changes(ALICE, later.version, 10)
    assert none is not None and (none.ids, none.start_over, none.version) == ([], False, later.version)


async def test_pages_meet_what_changes_between_them(memories: MemoryStore) -> None:
    follower = Follower(memories, ALICE, partial(memories.get, ALICE), limit=2)
    await memories.apply([upsert(n) for n in range(7)])
    page = await memories.changes(ALICE, None, 2)
    assert page is not None and page.more
    await memories.apply([delete(int.from_bytes(page.ids[0], "big")), upsert(8)])
    rest: list[bytes] = []
    while page is not None and page.more:
        page = await memories.changes(ALICE, page.version, 2)
        assert page is not None and not page.start_over
        rest += page.ids
    assert set(rest) >= {h(8)} and len(rest) == len(set(rest)) == 7
    await follower.follow()
    assert set(follower.rows) == {h(n) for n in (0, 1, 2, 3, 4, 5, 6, 8)}


async def test_an_agent_that_was_emptied_starts_over(memories: MemoryStore) -> None:
    follower = Follower(memories, ALICE, partial(memories.get, ALICE))
    await memories.apply([upsert(1), upsert(2)])
    await follower.follow()
    await memories.revert([upsert(1), upsert(2)])
    await follower.follow()
    assert follower.rows == {} and follower.version is not None and follower.version.sequence == 0
    await memories.apply([upsert(3)])
    await follower.follow()
    assert set(follower.rows) == {h(3)} and follower.restarts == 3


async def test_following_vectors_reads_what_changed_and_no_more(vectors: tuple[VectorStore, VectorStore]) -> None:
    store, reader = vectors

    async def read(ids: object) -> list[VectorRow | None]:
        return await reader.find([(ALICE, i) for i in ids])  # type: ignore[attr-defined]

    follower = Follower(reader, ALICE, read, limit=50)
    await store.upsert([row(n) for n in range(200)] + [row(n, BOB) for n in range(5)])
    await follower.follow()
    assert len(follower.asked) == 200
    await store.upsert([row(3, axis=77), row(300)])
    await follower.follow()
    assert sorted(follower.asked) == [h(3), h(300)]
    assert follower.rows[h(3)].vector[77] == 1 and len(follower.rows) == 201


async def test_a_removed_row_is_told_of_without_a_start_over(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path)
    follower = Follower(store, ALICE, partial(store.get, ALICE), limit=100)
    await store.apply([upsert(n) for n in range(300)])
    await follower.follow()
    await store.revert([upsert(n) for n in range(10)])
    await follower.follow()
    assert follower.asked == [h(n) for n in range(10)] and follower.restarts == 1 and len(follower.rows) == 290
    await store.apply([upsert(5)])
    await follower.follow()
    assert follower.asked == [h(5)] and len(follower.rows) == 291
    await store.close()


async def test_removed_ids_are_swept_out_and_readers_start_over(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path)
    await store.apply([upsert(n) for n in range(400)] + [upsert(1, BOB)])
    known = await store.changes(ALICE, None, 1_000)
    bobs = await store.version(BOB)
    await store.revert([upsert(n) for n in range(SPARE + 60)])
    again = await store.changes(ALICE, known.version, 1_000)
    assert again.start_over and sorted(again.ids) == [h(n) for n in range(SPARE + 60, 400)]
    assert again.version > known.version and await store.version(BOB) == bobs
    await store.close()
    with lmdb.open(str(tmp_path), max_dbs=12) as env, env.begin() as txn:
        for name in (b"changes", b"sequences"):
            assert txn.stat(env.open_db(name, txn=txn))["entries"] == 400 - SPARE - 60 + 1


async def test_a_row_that_comes_and_goes_is_one_id(tmp_path: Path) -> None:
    """What is counted as removed is what is there as removed: no sweep before its time."""
    store = LmdbMemoryStore(tmp_path)
    await store.apply([upsert(n) for n in range(10)])
    known = await store.changes(ALICE, None, 100)
    for _ in range(SPARE + 10):
        await store.revert([upsert(3)])
        await store.apply([upsert(3)])
    again = await store.changes(ALICE, known.version, 100)
    assert not again.start_over and again.ids == [h(3)]
    await store.close()


async def test_an_agent_with_no_row_leaves_no_byte(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path)
    facts = [upsert(n) for n in range(SPARE + 5)]
    await store.apply(facts)
    await store.revert(facts)
    await store.close()
    with lmdb.open(str(tmp_path), max_dbs=12) as env, env.begin() as txn:
        for name in (b"rows", b"by_time", b"agents", b"changes", b"sequences", b"blocks"):
            assert list(txn.cursor(db=env.open_db(name, txn=txn))) == []


WRITER = """
import asyncio, sys
from pathlib import Path
from connectors.stores import LmdbMemoryStore
from tests.unit.stores.facts import upsert
asyncio.run(LmdbMemoryStore(Path(sys.argv[1])).apply([upsert(7)]))
"""


async def test_another_process_s_write_moves_the_version(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path)
    await store.apply([upsert(1)])
    before = await store.changes(ALICE, None, 10)
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", WRITER, str(tmp_path)], check=True, cwd=ROOT, timeout=60)
    after = await store.changes(ALICE, before.version, 10)
    assert after.version > before.version and after.ids == [h(7)] and not after.start_over
    await store.close()


async def test_milvus_says_that_it_cannot_tell(tmp_path: Path) -> None:
    store = MilvusVectorStore(str(tmp_path / "v.db"))
    await store.upsert([row(1)])
    assert await store.version(ALICE) is None and await store.changes(ALICE, None, 5) is None
    await store.close()


async def test_a_short_agent_and_a_closed_store_are_refused(tmp_path: Path) -> None:
    for store in (LmdbMemoryStore(tmp_path / "m"), LmdbVectorStore(tmp_path / "v")):
        with pytest.raises(StoreError, match="20 bytes"):
            await store.version(ALICE[:5])
        with pytest.raises(StoreError, match="20 bytes"):
            await store.changes(ALICE[:5], None, 5)
        await store.close()
        with pytest.raises(StoreError, match="closed"):
            await store.version(ALICE)
        with pytest.raises(StoreError, match="closed"):
            await store.changes(ALICE, None, 5)


def _age(folder: Path, form: bytes, junk: dict[bytes, bytes]) -> None:
    """Makes of a store what the version before would have left."""
    with lmdb.open(str(folder), max_dbs=12) as env, env.begin(write=True) as txn:
        for name in (b"agents", b"changes", b"sequences", b"blocks"):
            txn.drop(env.open_db(name, txn=txn), delete=name not in junk)
        for name, key in junk.items():
            txn.put(key, bytes(24), db=env.open_db(name, txn=txn))
        if form.startswith(b"monmouth/vectors"):
            rows = env.open_db(b"vectors", txn=txn)
            for key, value in list(txn.cursor(db=rows)):
                body = value[9:]  # behind the checksum and the byte of what was not sealed
                txn.put(key, bytes(xxh3_64_digest(body)) + body, db=rows)
        txn.put(b"format", form)


async def test_a_store_of_the_version_before_is_brought_up(tmp_path: Path) -> None:
    memories, vectors = LmdbMemoryStore(tmp_path / "m"), LmdbVectorStore(tmp_path / "v")
    await memories.apply([upsert(n, who, at=block(1 + n // 10)) for n in range(30) for who in (ALICE, BOB)])
    await vectors.upsert([row(n, who) for n in range(30) for who in (ALICE, BOB)])
    identity = memories.identity
    await memories.close()
    await vectors.close()
    _age(tmp_path / "m", b"monmouth/memories/1", {})
    _age(tmp_path / "v", b"monmouth/vectors/1/384", {b"agents": ALICE, b"changes": ALICE + b"\x01"})
    memories, vectors = LmdbMemoryStore(tmp_path / "m"), LmdbVectorStore(tmp_path / "v")
    assert memories.identity == identity
    for store in (memories, vectors):
        for agent in (ALICE, BOB):
            page = await store.changes(agent, None, 100)
            assert page.ids == [h(n) for n in range(30)] and page.version == await store.version(agent) > Version()
    assert (await memories.footing(BOB, 2, 0)).blocks == [(n, block(n)["hash"]) for n in (2, 3)]
    assert len(await memories.live_ids(BOB, everything)) == 30
    assert (await vectors.search(BOB, AXES[3], 1))[0].memory_id == h(3)
    await memories.revert([upsert(n, at=block(1 + n // 10)) for n in range(30)])
    assert (await memories.version(ALICE)).sequence == 0 != (await memories.version(BOB)).sequence
    await memories.close()
    await vectors.close()


def _older_claim(folder: Path) -> bytes:
    """Takes a lane as the version before did; the token."""
    with lmdb.open(str(folder), max_dbs=12) as env, env.begin(write=True) as txn:
        token = (int.from_bytes(txn.get(b"lane/memory/0", default=b""), "big") + 1).to_bytes(8, "big")
        txn.put(b"lane/memory/0", token)
        return token


async def test_an_upgrade_shuts_out_writers_of_the_version_before(tmp_path: Path) -> None:
    await LmdbMemoryStore(tmp_path).close()
    _age(tmp_path, b"monmouth/memories/2", {})
    token = _older_claim(tmp_path)
    store = LmdbMemoryStore(tmp_path)
    await (await store.claim(b"memory/0")).apply([upsert(1)])
    await store.close()
    with lmdb.open(str(tmp_path), max_dbs=12) as env, env.begin() as txn:
        assert txn.get(b"lane/memory/0") != token  # what it compares before each write
    with pytest.raises(OverflowError):
        _older_claim(tmp_path)


async def test_a_store_of_an_unknown_version_is_refused(tmp_path: Path) -> None:
    await LmdbMemoryStore(tmp_path).close()
    _age(tmp_path, b"monmouth/memories/99", {})
    with pytest.raises(StoreError, match="format monmouth/memories/99"):
        LmdbMemoryStore(tmp_path)


async def test_the_footing_is_the_blocks_of_the_standing_facts(memories: MemoryStore) -> None:
    async def blocks(since: int = 0, agent: bytes = ALICE) -> list[tuple[int, bytes]]:
        footing = await memories.footing(agent, since, 0)
        assert footing is not None and footing.version == await memories.version(agent)
        return footing.blocks

    two, three, fork = block(2), block(3), block(3, fork=1)
    gone = delete(1, at=three)
    await memories.apply([upsert(1, at=two), upsert(2, at=two), upsert(3), gone, upsert(4, at=fork), upsert(1, BOB, at=three)])
    both = sorted([(3, three["hash"]), (3, fork["hash"])])
    assert await blocks() == [(2, two["hash"]), *both]
    assert await blocks(3) == both and await blocks(4) == [] and await blocks(-5) == await blocks()
    await memories.revert([gone, gone, upsert(1, at=two)])
    assert await blocks() == [(2, two["hash"]), (3, fork["hash"])]
    await memories.revert([upsert(2, at=two), upsert(4, at=fork)])
    assert await blocks() == []
    assert await blocks(agent=BOB) == [(3, three["hash"])]


async def test_the_turn_is_the_next_time_at_which_something_starts_or_ends(memories: MemoryStore) -> None:
    async def turn(now: int, agent: bytes = ALICE) -> int | None:
        footing = await memories.footing(agent, 0, now)
        assert footing is not None
        return footing.turn

    ends = [
        plain_edge("INVALIDATES", h(1)) | {"until": 500},
        plain_edge("LINK", h(1)) | {"until": 550},
        plain_edge("MERGES", h(2)),
    ]
    facts = [
        upsert(1, timestamp=10, valid_from=100, valid_to=300),
        upsert(2, timestamp=20, valid_from=-50),
        upsert(3, timestamp=30, edges=ends),
        upsert(4, BOB, timestamp=10, valid_to=200),
    ]
    await memories.apply(facts)
    assert [await turn(now) for now in (30, 99, 100, 299, 300, 499, 500)] == [100, 100, 300, 300, 500, 500, None]
    assert [await turn(now) for now in (5, 29)] == [6, 30]  # a memory from later than now reads differently every second
    assert await turn(100, BOB) == 200 and await turn(200, BOB) is None and await turn(0, b"\x01" * 20) is None
    await memories.revert([facts[2]])
    assert await turn(300) is None
