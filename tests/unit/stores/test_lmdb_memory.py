"""The embedded memory store among processes, crashes, full disks and damaged files."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import lmdb
import pytest

from connectors.stores.lmdb_environment import READ_THREADS
from connectors.stores.lmdb_memory import LmdbMemoryStore
from connectors.stores.lmdb_vectors import LmdbVectorStore
from schemas.codec import using
from schemas.defaults import plain_edge
from streams.core.presence import everything
from streams.errors import StoreError
from streams.ports.stores import Concern, MemoryFilter, Version
from streams.vault.keys import FileKeyStore
from streams.vault.master import MasterKey
from streams.vault.sealing import SealingCodec
from tests.unit.stores.facts import ALICE, BOB, block, delete, h, memory, upsert

CHILD = """
import asyncio, sys
from pathlib import Path
from connectors.stores.lmdb_memory import LmdbMemoryStore
from tests.unit.stores.facts import upsert
async def main():
    store = LmdbMemoryStore(Path(sys.argv[1]))
    first = int(sys.argv[2])
    for n in range(first, first + int(sys.argv[3])):
        await store.apply([upsert(10 * n + i) for i in range(10)])
        print(n, flush=True)
asyncio.run(main())
"""


def child(folder: Path, first: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(first), str(count)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )


async def test_a_reader_sees_what_another_process_acknowledged(tmp_path: Path) -> None:
    reader = LmdbMemoryStore(tmp_path)
    with child(tmp_path, 0, 20) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            n = int(line)
            seen = await reader.get(ALICE, [h(10 * n + i) for i in range(10)])
            assert all(row is not None for row in seen)
        assert writer.wait(10) == 0
    assert len(await reader.live_ids(ALICE, everything)) == 200
    await reader.close()


async def test_two_processes_write_one_store(tmp_path: Path) -> None:
    with child(tmp_path, 0, 30) as one, child(tmp_path, 100, 30) as other:
        assert one.communicate(timeout=60)[0].split() == [str(n) for n in range(30)]
        assert other.communicate(timeout=60)[0].split() == [str(n) for n in range(100, 130)]
    store = LmdbMemoryStore(tmp_path)
    assert len(await store.live_ids(ALICE, everything)) == 600
    await store.close()


async def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Whole batches or none, and all that were acknowledged, after killing the writer at random moments."""
    acknowledged: set[int] = set()
    chance = random.Random(5)
    for attempt in range(4):
        with child(tmp_path, attempt * 10_000, 10_000) as writer:
            assert writer.stdout is not None
            acknowledged.add(int(writer.stdout.readline()))
            await asyncio.sleep(chance.uniform(0.01, 0.15))
            writer.send_signal(signal.SIGKILL)
            acknowledged.update(int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n"))
        store = LmdbMemoryStore(tmp_path)  # a lock or reader slot of the dead is no obstacle
        live = {int.from_bytes(i, "big") for i in await store.live_ids(ALICE, everything)}
        await store.apply([upsert(attempt, BOB)])
        await store.close()
        batches = {n // 10 for n in live}
        assert acknowledged <= batches
        assert live == {10 * n + i for n in batches for i in range(10)}
        assert len(batches - acknowledged) <= attempt + 1


async def test_a_batch_is_applied_whole_or_not_at_all(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path)
    wrong = upsert(2)
    wrong["memory"] = upsert(3)["memory"]
    stranger = upsert(4)
    stranger["owner"] = BOB
    for bad in (wrong, stranger, {**upsert(5), "memory": None}):
        with pytest.raises(StoreError, match="does not hold that memory"):
            await store.apply([upsert(1), bad])  # type: ignore[list-item]
    assert [a async for a in store.agents()] == []
    await store.close()


async def test_a_full_map_is_a_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path, map_size=1 << 20)
    written = 0
    with pytest.raises(StoreError, match=r"largest size[\s\S]*store_gib"):
        for n in range(10_000):
            await store.apply([upsert(n, content=bytes(1_000))])
            written += 1
    assert written > 100
    assert await store.live_ids(ALICE, everything) == [h(n) for n in range(written)]
    await store.close()
    store = LmdbMemoryStore(tmp_path, map_size=1 << 24)
    await store.apply([upsert(n, content=bytes(1_000)) for n in range(written, written + 50)])
    assert len(await store.live_ids(ALICE, everything)) == written + 50
    await store.close()


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from connectors.stores.lmdb_memory import LmdbMemoryStore
from streams.errors import StoreError
from tests.unit.stores.facts import upsert
async def main():
    store = LmdbMemoryStore(Path(sys.argv[1]))
    await store.apply([upsert(0)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    n, batch = 1, int(sys.argv[2])
    try:
        while n < 5000:
            await store.apply([upsert(n + i, content=bytes(2000)) for i in range(batch)])
            n += batch
    except StoreError as error:
        print(n, error)
asyncio.run(main())
"""


@pytest.mark.parametrize("batch", [1, 50], ids=["a write is refused", "a write is cut short"])
async def test_a_full_disk_is_a_clear_error_and_loses_nothing(tmp_path: Path, batch: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(batch)], capture_output=True, text=True, timeout=60, check=True
    )
    count, message = done.stdout.split(" ", 1)
    assert "disk is full" in message and "Free space" in message
    store = LmdbMemoryStore(tmp_path)
    assert await store.live_ids(ALICE, everything) == [h(n) for n in range(int(count))]
    await store.close()


async def test_a_damaged_row_is_named_not_returned(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path)
    await store.apply([upsert(1), upsert(2)])
    await store.close()
    with lmdb.open(str(tmp_path), max_dbs=4) as env, env.begin(write=True) as txn:
        rows = env.open_db(b"rows", txn=txn)
        value = bytearray(txn.get(ALICE + h(1), db=rows))
        value[-5] ^= 1
        txn.put(ALICE + h(1), bytes(value), db=rows)
    store = LmdbMemoryStore(tmp_path)
    for reading in (
        store.get(ALICE, [h(1)]),
        store.query(ALICE, MemoryFilter(), everything),
        store.live_ids(ALICE, everything),
        store.apply([delete(1)]),
    ):
        with pytest.raises(StoreError, match=rf"{h(1).hex()}[\s\S]*not readable[\s\S]*from the log"):
            await reading
    assert (await store.get(ALICE, [h(2)]))[0] is not None
    await store.close()


async def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(os.urandom(100_000))
    with pytest.raises(StoreError, match="not readable"):
        LmdbMemoryStore(tmp_path)


async def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file"):
        LmdbMemoryStore(tmp_path / "file")


async def test_the_folder_of_another_store_is_refused(tmp_path: Path) -> None:
    await LmdbVectorStore(tmp_path).close()
    with pytest.raises(StoreError, match="format"):
        LmdbMemoryStore(tmp_path)
    vectors = LmdbVectorStore(tmp_path)
    with pytest.raises(StoreError, match="format"):
        LmdbMemoryStore(tmp_path)
    await vectors.close()


def rewrite(folder: Path, form: bytes, *dropped: bytes) -> None:
    """Gives a closed store another format, without some of its indices."""
    with lmdb.open(str(folder), max_dbs=12) as raw:
        databases = [raw.open_db(name) for name in dropped]
        with raw.begin(write=True) as transaction:
            transaction.put(b"format", form)
            for database in databases:
                transaction.drop(database)


@pytest.mark.parametrize(
    ("form", "lacks"),
    [
        (b"monmouth/memories/1", [b"about", b"said", b"agents", b"changes", b"sequences"]),
        (b"monmouth/memories/2", [b"about", b"said", b"blocks"]),
        (b"monmouth/memories/3", [b"about", b"said", b"turns"]),
        (b"monmouth/memories/4", [b"turns"]),
        (b"monmouth/memories/5", []),
        (b"monmouth/memories/6", [b"zoned"]),
    ],
)
async def test_a_store_of_a_format_before_gets_the_indices_it_lacks(tmp_path: Path, form: bytes, lacks: list[bytes]) -> None:
    facts = [
        upsert(1, subject="s", predicate="p"),
        upsert(2, subject="s", predicate="p", edges=[plain_edge("SUPERSEDES", h(1))]),
        delete(3),
        upsert(4, valid_to=9_000),
        upsert(5, source="SESSION", session=bytes(16)),
    ]
    store = LmdbMemoryStore(tmp_path)
    await store.apply(facts)
    asked = Concern(h(1)), Concern.of(memory(1, subject="s", predicate="p"))
    found = [await store.concerning(ALICE, [concern], lambda _: True) for concern in asked]
    await store.close()
    rewrite(tmp_path, form, *lacks)
    store = LmdbMemoryStore(tmp_path)
    assert [await store.concerning(ALICE, [concern], lambda _: True) for concern in asked] == found
    assert [len(rows) for rows in found] == [1, 2]
    assert await store.version(ALICE) != Version()
    assert (await store.footing(ALICE, 0, 8_000)).turn == 9_000
    inside = await store.query(ALICE, MemoryFilter(sessions=frozenset({bytes(16)})), everything)
    assert [found["id"] for found in inside] == [h(5)]
    await store.revert(facts)
    assert await store.live_ids(ALICE, everything) == []
    await store.close()


async def test_rows_whose_key_was_destroyed_leave_nothing_in_the_indices(tmp_path: Path) -> None:
    keys = FileKeyStore(tmp_path / "keys", lambda: MasterKey(bytes(32)))
    said = {"subject": "alice", "predicate": "lives in", "valid_to": 5_000}
    facts = [upsert(1, **said), upsert(2, edges=[plain_edge("SUPERSEDES", h(1))], **said)]
    with using(SealingCodec(keys)):
        store = LmdbMemoryStore(tmp_path / "store")
        await store.apply([*facts, upsert(1, BOB, **said)])
        keys.destroy(ALICE)
        await store.revert(facts)
        assert [a async for a in store.agents()] == [BOB]
        assert len(await store.concerning(BOB, [Concern(h(1), ("alice", "lives in"), 1_001)], lambda _: True)) == 1
        await store.close()
    with lmdb.open(str(tmp_path / "store"), max_dbs=16) as raw:
        databases = [raw.open_db(name, create=False) for name in (b"by_time", b"zoned", b"about", b"said", b"turns")]
        with raw.begin() as transaction:
            left = [key for database in databases for key in transaction.cursor(db=database).iternext(values=False)]
    assert left
    assert all(key.startswith(BOB) for key in left)


async def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    await LmdbMemoryStore(tmp_path).close()
    rewrite(tmp_path, b"monmouth/memories/99")
    with pytest.raises(StoreError, match="memories/99, not monmouth/memories/7"):
        LmdbMemoryStore(tmp_path)


async def test_one_process_opens_a_store_many_times(tmp_path: Path) -> None:
    one, other = LmdbMemoryStore(tmp_path), LmdbMemoryStore(tmp_path / ".." / tmp_path.name)
    await one.apply([upsert(1)])
    await one.close()
    await one.close()
    assert await other.live_ids(ALICE, everything) == [h(1)]
    with pytest.raises(StoreError, match="closed"):
        await one.live_ids(ALICE, everything)
    with pytest.raises(StoreError, match="closed"):
        await one.apply([upsert(2)])
    await other.close()


async def test_many_readers_at_once(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path)
    await store.apply([upsert(n) for n in range(100)])
    found = await asyncio.gather(*(store.get(ALICE, [h(n % 100)]) for n in range(2_000)))
    assert all(rows[0] is not None for rows in found)
    await store.close()


async def test_the_file_is_private_and_sparse(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path / "store")
    await store.apply([upsert(1)])
    file = tmp_path / "store" / "data.mdb"
    assert file.stat().st_mode & 0o077 == 0
    assert (tmp_path / "store").stat().st_mode & 0o077 == 0
    assert file.stat().st_size < 1 << 20
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    await store.close()


async def test_a_question_to_a_session_reads_no_row_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LmdbMemoryStore(tmp_path)
    await store.apply([*(upsert(n) for n in range(2, 200)), upsert(1, source="SESSION", session=bytes(16))])
    read: list[bytes] = []
    row = store._row
    monkeypatch.setattr(store, "_row", lambda txn, key: read.append(key) or row(txn, key))  # type: ignore[func-returns-value]
    assert len(await store.query(ALICE, MemoryFilter(sessions=frozenset({bytes(16)})), everything)) == 1
    assert read == [ALICE + h(1)]
    await store.close()


def listings(folder: Path) -> int:
    """Entries by which memories are listed."""
    with lmdb.open(str(folder), max_dbs=16, readonly=True, lock=False) as raw, raw.begin() as transaction:
        databases = [raw.open_db(name, txn=transaction, create=False) for name in (b"by_time", b"zoned")]
        return sum(transaction.stat(database)["entries"] for database in databases)


async def test_a_list_reads_no_row_that_a_command_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LmdbMemoryStore(tmp_path)
    facts = [upsert(n) for n in range(20)]
    zoned = upsert(20, source="SESSION", session=bytes(16))
    await store.apply([*facts, zoned])
    deletes = [delete(n) for n in (*range(1, 19), 20)]
    await store.apply(deletes)
    await store.apply([delete(19, at=block(3))])  # for who calls that block canonical
    read: list[bytes] = []
    row = store._row
    monkeypatch.setattr(store, "_row", lambda txn, key: read.append(key) or row(txn, key))  # type: ignore[func-returns-value]
    assert [found["id"] for found in await store.query(ALICE, MemoryFilter(), lambda _: False)] == [h(19), h(0)]
    assert [found["id"] for found in await store.query(ALICE, MemoryFilter(), everything)] == [h(0)]
    assert set(read) == {ALICE + h(0), ALICE + h(19)}
    assert not await store.query(ALICE, MemoryFilter(sessions=frozenset({bytes(16)})), everything)
    assert len(await store.live_ids(ALICE, lambda _: False)) == 2

    await store.revert(deletes[3:])
    seen = [found["id"] for found in await store.query(ALICE, MemoryFilter(), everything)]
    assert seen == [h(n) for n in range(18, 3, -1)] + [h(0)]
    assert len(await store.query(ALICE, MemoryFilter(sessions=frozenset({bytes(16)})), everything)) == 1
    await store.revert([*facts, zoned])
    await store.close()
    assert listings(tmp_path) == 0


async def test_one_row_is_read_at_once_however_long_other_reads_take(tmp_path: Path) -> None:
    memories, vectors = LmdbMemoryStore(tmp_path / "m"), LmdbVectorStore(tmp_path / "v")
    await memories.apply([upsert(1)])
    free = threading.Event()
    for env in (memories._env, vectors._env):
        for _ in range(READ_THREADS):
            env._readers.submit(free.wait)
    try:
        async with asyncio.timeout(20):
            (row,) = await memories.get(ALICE, [h(1)])
            assert row is not None
            assert await vectors.find([(ALICE, h(1))]) == [None]
    finally:
        free.set()
    await memories.close()
    await vectors.close()
    for read in (memories.get(ALICE, [h(1)]), vectors.find([(ALICE, h(1))])):
        with pytest.raises(StoreError):
            await read
