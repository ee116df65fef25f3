"""Tables, one for each question that is asked, and how a keyspace comes to have them.

All of an agent's rows lie in ``buckets`` partitions of (agent, bucket), the bucket being that of the memory's id: so a memory
and every entry that leads to it are one partition, and change in one mutation. Times are unix seconds; ``stamp``: see
``stamps``.
Assumes nobody else alters the keyspace. Invariants: migrations run in order, each once, by one client at a time (a row taken by
a lightweight transaction, which lapses if its holder dies); each may be repeated, so one that was cut short is run again.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Sequence
from typing import Any

from streams.errors import StoreError
from streams.settings import CassandraSettings

OPTIONS = "compaction = {'class': 'LeveledCompactionStrategy'}"
KEY = "agent blob, bucket smallint"
TABLES: dict[str, str] = {
    # A memory by id: the wire form, the facts that stand for it (each with the stamp it was written at), its last change.
    "memories": f"{KEY}, id blob, wire blob, facts map<blob, bigint>, changed bigint, PRIMARY KEY ((agent, bucket), id)",
    # Newest first: of all memories ("time"), of one type ("type:SEMANTIC"), of a tenth of importance ("importance:7").
    "listings": (
        f"{KEY}, listing text, at bigint, id blob, type tinyint, amendment boolean, importance double, "
        "PRIMARY KEY ((agent, bucket), listing, at, id)) WITH CLUSTERING ORDER BY (listing ASC, at DESC, id DESC"
    ),
    # Memories that hold an edge, by the ids at its ends.
    "edges": f"{KEY}, end blob, id blob, PRIMARY KEY ((agent, bucket), end, id)",
    # Statements by a keyed digest of subject and predicate, then by the time from which they say it.
    "statements": f"{KEY}, said blob, start bigint, id blob, PRIMARY KEY ((agent, bucket), said, start, id)",
    # Times at which something that is said starts or ends to be true.
    "turns": f"{KEY}, at bigint, id blob, PRIMARY KEY ((agent, bucket), at, id)",
    # Blocks that facts stand on.
    "blocks": f"{KEY}, number bigint, hash blob, id blob, PRIMARY KEY ((agent, bucket), number, hash, id)",
    # What changed last when; ``gone``: the row is not there any more.
    "changes": f"{KEY}, stamp bigint, id blob, gone boolean, PRIMARY KEY ((agent, bucket), stamp)",
}
"""Tables in whose partitions an agent lies."""
OTHERS: dict[str, str] = {
    "heads": "agent blob PRIMARY KEY, epoch bigint, stamp bigint, removed bigint",
    "agents": "shard smallint, agent blob, PRIMARY KEY (shard, agent)",
    # Owners of a lane, the newest first; ``done``: the last stamp up to which all that an owner wrote is known to be whole.
    "lanes": "lane blob, owner bigint, done bigint, PRIMARY KEY (lane, owner)) WITH CLUSTERING ORDER BY (owner DESC",
}
META = "name text PRIMARY KEY, value blob, number bigint"
MIGRATION_SECONDS = 120
LOCK = f"INSERT INTO meta (name, value) VALUES ('migration', %s) IF NOT EXISTS USING TTL {MIGRATION_SECONDS}"  # noqa: S608
AGREEMENT_SECONDS = 15
POLL = 0.2
READ = "read"

INITIAL = tuple(
    f"CREATE TABLE IF NOT EXISTS {name} ({columns}) {'AND' if 'WITH' in columns else 'WITH'} {OPTIONS}"
    for name, columns in {**TABLES, **OTHERS}.items()
)
MIGRATIONS: tuple[Sequence[str], ...] = (INITIAL,)
"""Statements that bring the tables from the version before (their place in the list) to the next one. Only ever added to."""


def open_keyspace(session: Any, settings: CassandraSettings) -> tuple[bytes, int]:
    """Makes keyspace and tables, or brings them up; identity and number of buckets. ``session``: of the driver, in no keyspace,
    with an execution profile READ.

    Raises StoreError, and the driver's kinds.
    """
    deadline = time.monotonic() + AGREEMENT_SECONDS
    while True:
        try:
            _make(session, settings)
            _migrate(session, settings)
            return _settle(session, settings)
        except Exception as error:  # the driver's kinds have no common base
            # A node that came a moment ago does not know the newest tables yet.
            if type(error).__name__ not in {"ReadFailure", "WriteFailure", "InvalidRequest"} or time.monotonic() > deadline:
                raise
            time.sleep(POLL)


def _make(session: Any, settings: CassandraSettings) -> None:
    keyspace = settings.keyspace
    if keyspace not in session.cluster.metadata.keyspaces:
        copies = settings.replication or {settings.local_datacenter: 1}
        said = ", ".join(f"'{name}': {count}" for name, count in copies.items())
        session.execute(
            f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {{'class': 'NetworkTopologyStrategy', {said}}}"
        )
    session.set_keyspace(keyspace)
    if "meta" not in session.cluster.metadata.keyspaces[keyspace].tables:
        # Two clients that make a table at once, by two nodes, make two unless they name it the same.
        name = uuid.uuid5(uuid.NAMESPACE_OID, f"monmouth/{keyspace}/meta")
        session.execute(f"CREATE TABLE IF NOT EXISTS meta ({META}) WITH id = {name}")


def _migrate(session: Any, settings: CassandraSettings) -> None:
    deadline = time.monotonic() + 2 * MIGRATION_SECONDS
    own = secrets.token_bytes(16)
    while (version := _number(session, "schema")) < len(MIGRATIONS):
        if time.monotonic() > deadline:
            raise StoreError(f"keyspace {settings.keyspace} is being migrated by another process for too long")
        if not _applied(session, LOCK, own):
            time.sleep(POLL)
            continue
        try:
            version = _number(session, "schema")  # somebody may have been quicker
            for number, statements in enumerate(MIGRATIONS[version:], version + 1):
                for statement in statements:
                    session.execute(statement, timeout=MIGRATION_SECONDS)
                session.execute("UPDATE meta SET number = %s WHERE name = 'schema'", (number,))
        finally:
            _applied(session, "DELETE FROM meta WHERE name = 'migration' IF value = %s", own)
    if version > len(MIGRATIONS):
        raise StoreError(
            f"keyspace {settings.keyspace} has tables of version {version}; {len(MIGRATIONS)} is the newest known here",
            "A newer version of the product made them: upgrade this process.",
        )


def _number(session: Any, name: str) -> int:
    return _meta(session).get(name, (b"", 0))[1] or 0


def _meta(session: Any) -> dict[str, tuple[bytes, int]]:
    """Values and numbers by name, with as few copies as reads ask for: who only reads need not wait for all nodes."""
    rows = session.execute("SELECT name, value, number FROM meta", execution_profile=READ)
    return {name: (value, number) for name, value, number in rows}


def _applied(session: Any, statement: str, *values: Any) -> bool:
    return bool(session.execute(statement, values).one()[0])


def _settle(session: Any, settings: CassandraSettings) -> tuple[bytes, int]:
    """Identity and number of buckets, decided by whoever comes first."""
    if not {"identity", "buckets", "token"} <= _meta(session).keys():
        _applied(session, "INSERT INTO meta (name, value) VALUES ('identity', %s) IF NOT EXISTS", secrets.token_bytes(16))
        _applied(session, "INSERT INTO meta (name, number) VALUES ('buckets', %s) IF NOT EXISTS", settings.buckets)
        _applied(session, "INSERT INTO meta (name, number) VALUES ('token', %s) IF NOT EXISTS", 0)
    found = _meta(session)
    return found["identity"][0], found["buckets"][1]
