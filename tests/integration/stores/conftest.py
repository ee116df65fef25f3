"""A store on the session's Cassandra, and a look behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from connectors.stores.cassandra import CassandraMemoryStore
from connectors.stores.cassandra.schema import TABLES
from streams.settings import CassandraSettings
from tests.cassandra_fixtures import KEYSPACE

Behind = Callable[[bytes], dict[str, list[Any]]]


@pytest.fixture
async def store(cassandra_settings: CassandraSettings) -> AsyncIterator[CassandraMemoryStore]:
    made = CassandraMemoryStore(cassandra_settings)
    yield made
    await made.close()


@pytest.fixture
def behind(cassandra_session: Any) -> Behind:
    """What lies of an agent in each table that holds anything of it."""

    def look(agent: bytes) -> dict[str, list[Any]]:
        found = {
            table: [
                row
                for row in cassandra_session.execute(f"SELECT * FROM {KEYSPACE}.{table}")
                if row.agent == agent and (table != "memories" or row.facts or row.wire)
            ]
            for table in TABLES
        }
        return {table: rows for table, rows in found.items() if rows}

    return look
