"""A real Cassandra node for the session, empty for each test. Loaded as a plugin, so that all tests share one node.

It asks of clients what one in production would: TLS, a certificate of theirs, a name and a password; and gives the one that the
tests use rights on one keyspace. ``cassandra``: the node. ``cassandra_settings``: settings of that keyspace, without a row.
Jars as in ``broker_fixtures``.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cassandra import OperationTimedOut
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.policies import ConstantReconnectionPolicy, RoundRobinPolicy

from connectors.stores.cassandra.connection import PROTOCOL
from connectors.stores.cassandra.schema import TABLES
from connectors.stores.cassandra.stamps import COUNT_BITS
from infra.broker.errors import JarsUnavailableError, JavaError
from infra.cassandra import CassandraNode
from streams.settings import CassandraSettings
from tests.availability import unavailable
from tests.certificates import Authority, key_store

KEYSPACE = "tests"
USER, PASSWORD = "monmouth", "a password of the tests"
ADMIN = "cassandra"
"""Name and password of the first superuser."""
REPLICATION = "{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}"


@dataclass(frozen=True)
class Credentials:
    """Files of whoever may connect."""

    ca: Path
    certificate: Path
    key: Path
    password: Path

    def settings(self, node: CassandraNode, keyspace: str = KEYSPACE, **more: Any) -> CassandraSettings:
        return CassandraSettings(
            contact_points=[node.address],
            port=node.port,
            keyspace=keyspace,
            username=USER,
            password_file=self.password,
            tls_ca_file=self.ca,
            tls_cert_file=self.certificate,
            tls_key_file=self.key,
            **more,
        )


@pytest.fixture(scope="session")
def cassandra_credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    folder = tmp_path_factory.mktemp("cassandra-keys")
    authority = Authority(folder)
    key_store(*authority.issue("node"))
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    return Credentials(authority.ca_file, *authority.issue("client"), password)


@pytest.fixture(scope="session")
def cassandra(
    tmp_path_factory: pytest.TempPathFactory, jars_dir: Path, cassandra_credentials: Credentials
) -> Iterator[CassandraNode]:
    keys = cassandra_credentials.ca.parent
    asked = {
        "authenticator": "PasswordAuthenticator",
        "authorizer": "CassandraAuthorizer",
        "client_encryption_options": {
            "enabled": True,
            "optional": False,
            "require_client_auth": True,
            "ssl_context_factory": {"class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"},
            "keystore": str(keys / "node.store.pem"),
            "truststore": str(cassandra_credentials.ca),
        },
    }
    node = CassandraNode(tmp_path_factory.mktemp("cassandra"), jars=jars_dir, configuration=asked, managed=True)
    try:
        node.start()
    except (JarsUnavailableError, JavaError) as error:
        unavailable(f"no Cassandra: {error}")
    try:
        yield node
    finally:
        node.stop()


@pytest.fixture(scope="session")
def cassandra_session(cassandra: CassandraNode, cassandra_credentials: Credentials) -> Iterator[Any]:
    """A superuser's session of the driver, for looking behind the store; it has made the tests' user and keyspace."""
    context = ssl.create_default_context(cafile=str(cassandra_credentials.ca))
    context.load_cert_chain(str(cassandra_credentials.certificate), str(cassandra_credentials.key))
    cluster = Cluster(
        [cassandra.address],
        port=cassandra.port,
        ssl_context=context,
        auth_provider=PlainTextAuthProvider(ADMIN, ADMIN),
        protocol_version=PROTOCOL,
        reconnection_policy=ConstantReconnectionPolicy(0.2, max_attempts=None),
        execution_profiles={EXEC_PROFILE_DEFAULT: ExecutionProfile(load_balancing_policy=RoundRobinPolicy())},
    )
    with cluster:
        session = cluster.connect()
        session.execute(f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH replication = {REPLICATION}")
        session.execute(f"CREATE ROLE IF NOT EXISTS {USER} WITH PASSWORD = '{PASSWORD}' AND LOGIN = true")
        session.execute(f"GRANT ALL ON KEYSPACE {KEYSPACE} TO {USER}")
        yield session


@pytest.fixture
def cassandra_settings(
    cassandra: CassandraNode, cassandra_session: Any, cassandra_credentials: Credentials
) -> CassandraSettings:
    settings = cassandra_credentials.settings(cassandra)
    await_node(cassandra_session)
    wipe(cassandra_session, settings.keyspace)
    return settings


def await_node(session: Any, seconds: float = 60.0) -> None:
    """A test before may have killed the node and started it again."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            session.execute("SELECT key FROM system.local")
            return
        except (NoHostAvailable, OperationTimedOut):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def wipe(session: Any, keyspace: str) -> None:
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
