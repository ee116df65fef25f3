"""The store on a real Cassandra beside what every store promises: what it leaves behind, its bounds, and who may use it."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connectors.stores import open_memory_store
from connectors.stores.cassandra import CassandraMemoryStore, schema, writing
from connectors.stores.cassandra import connection as connections
from connectors.stores.cassandra.statements import READS, WRITES
from infra.broker.ports import free_port
from infra.cassandra import CassandraNode
from schemas.codec import using
from schemas.defaults import plain_edge
from streams.core.presence import everything
from streams.errors import ConfigurationError, StoreError
from streams.ports.stores import Concern, MemoryFilter, Version
from streams.settings import CassandraSettings, Settings
from streams.vault.keys import FileKeyStore
from streams.vault.master import MasterKey
from streams.vault.sealing import SealingCodec
from tests.cassandra_fixtures import KEYSPACE, USER, Credentials
from tests.certificates import Authority
from tests.integration.stores.conftest import Behind
from tests.unit.stores.facts import ALICE, BOB, block, delete, h, upsert
from tests.unit.stores.follower import Follower

pytestmark = pytest.mark.cassandra
SECRET = "the vault of marigold street"


def whole(n: int, **fields: Any) -> Any:
    """A memory to which every table leads."""
    edges = [plain_edge("MERGES", h(7)), plain_edge("LINK", h(8))]
    return upsert(n, at=block(n), subject="s", predicate="p", valid_from=n, valid_to=900, edges=edges, **fields)


async def test_orphans_leave_no_row_that_leads_to_them(store: CassandraMemoryStore, behind: Behind) -> None:
    kept, undone = whole(1), [whole(n) for n in range(2, 30)]
    await store.apply([kept, *undone, delete(2, at=block(3))])
    assert behind(ALICE).keys() == schema.TABLES.keys()
    await store.revert([*undone, delete(2, at=block(3))])
    left = {table: len(rows) for table, rows in behind(ALICE).items()}
    assert left == {"memories": 1, "listings": 3, "edges": 2, "statements": 1, "turns": 2, "blocks": 1, "changes": 29}
    await store.revert([kept])
    assert behind(ALICE) == {}, "of an agent without a row nothing is kept, its removed ids included"
    assert [agent async for agent in store.agents()] == []


async def test_removed_ids_are_told_until_they_are_swept_out(
    store: CassandraMemoryStore, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "REMOVED", 5)
    follower = Follower(store, ALICE, partial(store.get, ALICE), limit=20)
    await store.apply([upsert(n) for n in range(20)])
    await follower.follow()
    await store.revert([upsert(n) for n in range(5)])
    await follower.follow()
    assert sorted(follower.asked) == [h(n) for n in range(5)] and follower.restarts == 1 and len(follower.rows) == 15
    await store.revert([upsert(5)])
    await follower.follow()
    assert follower.restarts == 2 and len(follower.rows) == 14 and len(behind(ALICE)["changes"]) == 14
    await store.apply([upsert(3)])
    await follower.follow()
    assert follower.asked == [h(3)] and len(follower.rows) == 15


async def test_nothing_private_lies_in_a_table(store: CassandraMemoryStore, behind: Behind, tmp_path: Path) -> None:
    keys = FileKeyStore(tmp_path / "agents.keys", lambda: MasterKey(bytes(32)))
    fact = upsert(1, subject=SECRET, predicate="opens at", content=SECRET.encode(), tags=[SECRET], valid_from=77)
    private = [SECRET.encode(), b"opens at"]
    await store.apply([{**fact, "owner": BOB, "memory": {**fact["memory"], "agent": BOB}}])  # type: ignore[list-item,dict-item]
    assert all(word in repr(behind(BOB)).encode() for word in private), "in the open, the same look finds it"
    with using(SealingCodec(keys)):
        await store.apply([fact])
        assert not any(word in repr(behind(ALICE)).encode() for word in private)
        assert [m["content"] for m in await store.query(ALICE, MemoryFilter(), everything)] == [SECRET.encode()]
        found = await store.concerning(ALICE, [Concern(h(9), (SECRET, "opens at"), 77)], lambda _: True)
        assert [row.memory["id"] for row in found if row.memory] == [h(1)]
        await store.apply([upsert(2)])
        keys.destroy(ALICE)
        await store.revert([upsert(1, subject=SECRET, predicate="opens at", valid_from=77)])
        assert behind(ALICE).keys() == {"memories", "listings", "changes"}, "entries that nobody can name any more are gone"
    keys.close()


async def test_batches_are_of_one_partition_and_bounded(store: CassandraMemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[list[Any]] = []
    batch = store._connection.batch

    async def noted(writes: Any) -> None:
        sent.append(list(writes))
        await batch(writes)

    monkeypatch.setattr(store._connection, "batch", noted)
    large = 20_000
    await store.apply([upsert(n, content=bytes(large)) for n in range(30)] + [upsert(50, content=bytes(65_000))])
    for writes in sent:
        places = {(values.index(ALICE), values[values.index(ALICE) + 1]) for _, values in writes}
        assert len({bucket for _, bucket in places}) == 1
        memories = [values for name, values in writes if name == "put_memory"]
        assert len(memories) == 1 or sum(len(values[1]) for values in memories) <= writing.BATCH
    assert len(await store.live_ids(ALICE, everything)) == 31


async def test_requests_under_way_are_bounded(cassandra_settings: CassandraSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CassandraMemoryStore(cassandra_settings.model_copy(update={"max_in_flight": 3}))
    await store.version(ALICE)
    session, most, now = store._connection._session, 0, 0
    execute = session.execute_async

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal most, now
        now += 1
        most = max(most, now)
        asked = execute(*args, **kwargs)

        def ended(_: Any) -> None:
            nonlocal now
            now -= 1

        asked.add_callbacks(ended, ended)
        return asked

    monkeypatch.setattr(session, "execute_async", counted)
    agents = [bytes([n]) * 20 for n in range(1, 30)]
    await store.apply([upsert(n, agent) for n, agent in enumerate(agents)])
    await asyncio.gather(*(store.live_ids(agent, everything) for agent in agents))
    assert 2 <= most <= 3
    await store.close()
    for use in (store.apply([upsert(1)]), store.version(ALICE), store.claim(b"lane")):
        with pytest.raises(StoreError, match="closed"):
            await use


async def test_the_settings_choose_it(cassandra_settings: CassandraSettings, tmp_path: Path) -> None:
    store = open_memory_store(Settings(state_dir=tmp_path, cassandra=cassandra_settings))
    assert isinstance(store, CassandraMemoryStore)
    await store.close()


@pytest.mark.parametrize("wrong", ["password", "no name", "plain", "no certificate", "another authority"])
async def test_whoever_shows_too_little_is_denied(
    wrong: str, cassandra: CassandraNode, cassandra_credentials: Credentials, cassandra_session: Any, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {
        "password": {"password_file": None, "password": "guessed"},
        "no name": {"username": ""},
        "plain": {"tls_ca_file": None, "timeout_seconds": 1.0},
        "no certificate": {"tls_cert_file": None, "tls_key_file": None},
        "another authority": {"tls_ca_file": Authority(tmp_path, "Another").ca_file},
    }
    known = cassandra_credentials.settings(cassandra)
    said = CassandraSettings.model_validate(known.model_dump() | changes[wrong])
    kind = ConfigurationError if wrong == "password" else (ConfigurationError, StoreError)
    store = CassandraMemoryStore(said)
    try:
        with pytest.raises(kind) as refused:
            await asyncio.wait_for(store.version(ALICE), 30)
        assert "guessed" not in str(refused.value)
        if wrong == "password":
            assert "name or the password" in str(refused.value)
    finally:
        await store.close()


async def test_a_user_without_rights_on_the_keyspace_is_told_so(
    cassandra: CassandraNode, cassandra_credentials: Credentials, cassandra_session: Any
) -> None:
    cassandra_session.execute("CREATE ROLE IF NOT EXISTS stranger WITH PASSWORD = 'stranger' AND LOGIN = true")
    said = cassandra_credentials.settings(cassandra).model_dump() | {"username": "stranger", "password_file": None}
    store = CassandraMemoryStore(CassandraSettings.model_validate(said | {"password": "stranger"}))
    with pytest.raises(ConfigurationError, match="too little"):
        await store.version(ALICE)
    await store.close()


def test_a_certificate_must_name_the_address_unless_told_otherwise(cassandra_credentials: Credentials) -> None:
    said = CassandraSettings(tls_ca_file=cassandra_credentials.ca)
    for update, checks in (({}, True), ({"tls_check_hostname": False}, False)):
        context = connections.Connection(said.model_copy(update=update), Path())._tls()
        assert context is not None and context.check_hostname is checks and context.verify_mode is ssl.CERT_REQUIRED


async def test_a_password_that_others_may_read_is_refused(cassandra_settings: CassandraSettings, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("a word")
    (tmp_path / "password").chmod(0o640)
    store = CassandraMemoryStore(cassandra_settings.model_copy(update={"password_file": tmp_path / "password"}))
    with pytest.raises(ConfigurationError, match="open to others"):
        await store.version(ALICE)
    await store.close()


async def test_files_that_are_not_there_are_named(cassandra_settings: CassandraSettings, tmp_path: Path) -> None:
    for update in ({"password_file": tmp_path / "gone"}, {"tls_ca_file": tmp_path / "gone"}):
        store = CassandraMemoryStore(cassandra_settings.model_copy(update=update))
        with pytest.raises(ConfigurationError, match=r"password_file|TLS files"):
            await store.version(ALICE)
        await store.close()


async def test_nobody_at_the_address_is_a_store_error_each_time() -> None:
    store = CassandraMemoryStore(CassandraSettings(contact_points=["127.0.0.1"], port=free_port()))
    for use in (store.version(ALICE), store.apply([upsert(1)]), store.claim(b"lane")):
        with pytest.raises(StoreError, match=r"no node could be used[\s\S]*Nothing was lost"):
            await use
    await store.close()


@pytest.fixture
def fresh(cassandra_session: Any, cassandra: CassandraNode, cassandra_credentials: Credentials) -> Any:
    """Settings of a keyspace that nobody has used."""
    name = "fresh"
    cassandra_session.execute(f"DROP KEYSPACE IF EXISTS {name}")
    cassandra_session.execute(
        f"CREATE KEYSPACE {name} WITH replication = {{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}}"
    )
    cassandra_session.execute(f"GRANT ALL ON KEYSPACE {name} TO {USER}")
    yield cassandra_credentials.settings(cassandra, name, buckets=2)
    cassandra_session.execute(f"DROP KEYSPACE {name}")


async def test_tables_are_made_once_by_whoever_is_first_and_brought_up_in_order(
    fresh: CassandraSettings, cassandra_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [CassandraMemoryStore(fresh.model_copy(update={"buckets": n})) for n in (2, 3)]
    await asyncio.gather(*(store.version(ALICE) for store in stores))
    assert len({(store.identity, store._connection.buckets) for store in stores}) == 1
    await stores[0].apply([upsert(n) for n in range(9)])
    assert await stores[1].live_ids(ALICE, everything) == [h(n) for n in range(9)]

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("ALTER TABLE heads ADD note text", "no statement")))
    newer = CassandraMemoryStore(fresh)
    with pytest.raises(StoreError):
        await newer.version(ALICE)  # cut short between its two steps
    monkeypatch.setattr(
        schema, "MIGRATIONS", (schema.INITIAL, ("ALTER TABLE heads ADD IF NOT EXISTS note text", "ALTER TABLE heads DROP note"))
    )
    assert await newer.version(ALICE) == await stores[0].version(ALICE) != Version()
    assert cassandra_session.execute("SELECT number FROM fresh.meta WHERE name = 'schema'").one()[0] == 2
    monkeypatch.undo()
    older = CassandraMemoryStore(fresh)
    with pytest.raises(StoreError, match=r"tables of version 2; 1 is the newest[\s\S]*upgrade this process"):
        await older.version(ALICE)
    for store in (*stores, newer, older):
        await store.close()


def test_every_write_names_its_time() -> None:
    """But those that compare and set."""
    assert all("TIMESTAMP ?" in text or " IF " in text for text in WRITES.values())
    assert not any("ALLOW FILTERING" in text for text in READS.values())
    assert KEYSPACE and connections.PROTOCOL == 5
