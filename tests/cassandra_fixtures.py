"""A real Cassandra node for the session, empty for each test. Loaded as a plugin, so that all tests share one node.

``cassandra``: the node. ``cassandra_settings``: settings of a keyspace on it, without a row. Jars as in ``broker_fixtures``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cassandra.cluster import Cluster

from connectors.stores.cassandra.schema import TABLES
from connectors.stores.cassandra.stamps import COUNT_BITS
from infra.broker.errors import JarsUnavailableError, JavaError
from infra.cassandra import CassandraNode
from streams.settings import CassandraSettings
from tests.availability import unavailable

KEYSPACE = "tests"


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Iterator[CassandraNode]:
    node = CassandraNode(tmp_path_factory.mktemp("cassandra"), jars=jars_dir)
    try:
        node.start()
    except (JarsUnavailableError, JavaError) as error:
        unavailable(f"no Cassandra: {error}")
    try:
        yield node
    finally:
        node.stop()


@pytest.fixture(scope="session")
def cassandra_session(cassandra: CassandraNode) -> Iterator[object]:
    """A session of the driver's own, for looking behind the store."""
    with Cluster([cassandra.address], port=cassandra.port) as cluster:
        yield cluster.connect()


@pytest.fixture
def cassandra_settings(cassandra: CassandraNode, cassandra_session) -> CassandraSettings:
    settings = settings_of(cassandra)
    wipe(cassandra_session, settings.keyspace)
    return settings


def settings_of(node: CassandraNode, keyspace: str = KEYSPACE) -> CassandraSettings:
    return CassandraSettings(contact_points=[node.address], port=node.port, keyspace=keyspace)


def wipe(session, keyspace: str) -> None:
    """Removes every row but what names the keyspace, later than all that was written, and earlier than all that will be."""
    tables = session.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (keyspace,)).all()
    if "lanes" not in {row[0] for row in tables}:
        return
    token = session.execute(f"SELECT number FROM {keyspace}.meta WHERE name = 'token'").one()[0] or 0
    session.execute(f"UPDATE {keyspace}.meta SET number = %s WHERE name = 'token' IF number = %s", (token + 2, token))
    at = (token + 2) << COUNT_BITS
    for table in TABLES:
        for agent, bucket in session.execute(f"SELECT DISTINCT agent, bucket FROM {keyspace}.{table}"):
            session.execute(
                f"DELETE FROM {keyspace}.{table} USING TIMESTAMP {at} WHERE agent = %s AND bucket = %s", (agent, bucket)
            )
    for table, key in (("heads", "agent"), ("agents", "shard"), ("lanes", "lane")):
        for (value,) in session.execute(f"SELECT DISTINCT {key} FROM {keyspace}.{table}"):
            session.execute(f"DELETE FROM {keyspace}.{table} USING TIMESTAMP {at} WHERE {key} = %s", (value,))
