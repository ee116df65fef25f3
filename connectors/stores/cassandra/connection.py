"""One session with Cassandra for an asyncio program: prepared statements, a bound on what is under way, typed errors.

The driver runs its connections on libev in a thread of its own: its asyncio reactor corrupts answers under load with the
present protocol. An answer comes back to the event loop by one wake-up for each burst of answers, not one for each answer.
TCP_NODELAY is set, without which a batch that is sent in pieces waits 40 ms for itself.
Assumes one event loop for the life of a session. Invariants: it connects when it is first needed, and again after a failure, so
that a store which is down is an error of the call and not of the process; no more than ``max_in_flight`` requests are under
way; no secret is in an error.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from connectors.stores.cassandra.errors import store_error
from connectors.stores.cassandra.schema import READ, open_keyspace
from connectors.stores.cassandra.statements import READS, WRITES
from streams.errors import ConfigurationError, StoreError
from streams.near import demand_near
from streams.policy import StoreOpenError, Terms, policy_for
from streams.pools import measure_pool
from streams.private_file import demand_private, read_secret
from streams.settings import CassandraSettings

PROTOCOL = 5  # of Cassandra 4 and 5
CONNECT_SECONDS = 10.0
RECONNECT_SECONDS = (0.25, 4.0)
PAGE = 1_000
TERMS = Terms(open_seconds=5.0, concurrent=None, call_seconds=None, opened=StoreOpenError)
"""The driver bounds time and tries, ``max_in_flight`` how many there are. Open for moments: workers wait for the store."""
Row = tuple[Any, ...]
Write = tuple[str, tuple[Any, ...]]
"""Name of a statement, its values."""


def _driver() -> Any:
    try:
        import cassandra.cluster  # noqa: PLC0415  (an extra, and slow to import)
        import cassandra.io.libevreactor  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"cassandra.contact_points is set, and {error.name} is not installed",
            "Install it: pip install 'monmouth[cassandra]'",
        ) from None
    return cassandra


class Connection:
    """Connects on first use. ``folder``: what relative paths of the settings are relative to."""

    def __init__(self, settings: CassandraSettings, folder: Path) -> None:
        self.settings = settings
        self.identity = b""
        self.buckets = settings.buckets
        self._folder = folder
        self._cluster: Any = None
        self._session: Any = None
        self._prepared: dict[str, Any] = {}
        self._connecting = asyncio.Lock()
        self._turn = asyncio.Semaphore(settings.max_in_flight)
        self._answers: deque[tuple[asyncio.Future[Any], bool, Any]] = deque()
        self._awake = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._policy = policy_for(f"cassandra {','.join(settings.contact_points)}:{settings.port}", TERMS)
        self.closed = False
        measure_pool(self, "cassandra", settings.max_in_flight, Connection.in_flight)

    def in_flight(self) -> int | None:
        """Requests under way; None without a session."""
        return None if self._session is None else self.settings.max_in_flight - self._turn._value

    async def ready(self) -> None:
        """Returns when there is a session. Raises StoreError, ConfigurationError."""
        if self._session is not None:
            return
        async with self._connecting:
            if self.closed:
                raise StoreError("the memory store on Cassandra is closed")
            if self._session is None:
                self._loop = asyncio.get_running_loop()
                with self._policy.guarded():
                    self._session = await asyncio.to_thread(self._connect)

    async def close(self) -> None:
        """Ends the session; waits for nothing."""
        self.closed = True
        async with self._connecting:
            cluster, self._cluster, self._session = self._cluster, None, None
            if cluster is not None:
                await asyncio.to_thread(cluster.shutdown)

    async def read(self, name: str, *values: Any) -> list[Row]:
        """All rows; for questions whose answers are bounded."""
        return [row async for page in self.pages(name, *values) for row in page]

    async def pages(self, name: str, *values: Any, size: int = PAGE) -> AsyncIterator[list[Row]]:
        """Rows page by page."""
        await self.ready()
        bound = self._prepared[name].bind(values)
        bound.fetch_size = size
        state = None
        while True:
            rows, state = await self._execute(bound, READ, state)
            yield rows
            if state is None:
                return

    async def write(self, name: str, *values: Any) -> list[Row]:
        """One write."""
        await self.ready()
        return (await self._execute(self._prepared[name].bind(values), None))[0]

    async def batch(self, writes: Sequence[Write]) -> None:
        """Writes of one partition, as one mutation."""
        await self.ready()
        from cassandra.query import BatchStatement, BatchType  # noqa: PLC0415

        batch = BatchStatement(BatchType.UNLOGGED)
        for name, values in writes:
            batch.add(self._prepared[name].bind(values))
        await self._execute(batch, None)

    async def _execute(self, statement: Any, profile: str | None, state: bytes | None = None) -> tuple[list[Row], bytes | None]:
        """``profile``: None is that of writes. Rows, and where the next page begins."""
        async with self._turn:
            with self._policy.guarded():
                return await self._asked(statement, profile, state)

    async def _asked(self, statement: Any, profile: str | None, state: bytes | None) -> tuple[list[Row], bytes | None]:
        session = self._session
        if session is None:
            raise StoreError("the memory store on Cassandra is closed")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[list[Row], bytes | None]] = loop.create_future()
        try:
            chosen = {} if profile is None else {"execution_profile": profile}
            asked = session.execute_async(statement, paging_state=state, **chosen)
            asked.add_callbacks(
                lambda rows: self._post(answer, True, (rows or [], asked._paging_state)),
                lambda error: self._post(answer, False, error),
            )
            return await answer
        except Exception as error:  # the driver's kinds have no common base
            raise store_error(self.settings, error) from None

    def _post(self, answer: asyncio.Future[Any], good: bool, value: Any) -> None:
        """In the driver's thread. A deque takes from both ends in one step, so nothing is lost between the threads."""
        self._answers.append((answer, good, value))
        if not self._awake:
            self._awake = True
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                assert self._loop is not None
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._awake = False  # before the first is taken: what comes from now on wakes the loop again
        while self._answers:
            answer, good, value = self._answers.popleft()
            if not answer.done():
                (answer.set_result if good else answer.set_exception)(value)

    def _connect(self) -> Any:
        """In a thread: the driver's connecting blocks."""
        self._driver = _driver()
        cluster = self._new_cluster()
        try:
            session = cluster.connect()
            self.identity, self.buckets = open_keyspace(session, self.settings)
            self._prepared = {name: session.prepare(text) for name, text in {**READS, **WRITES}.items()}
        except Exception as error:  # the driver's kinds have no common base
            cluster.shutdown()
            raise store_error(self.settings, error) from None
        self._cluster = cluster
        return session

    def _new_cluster(self) -> Any:
        from cassandra import ConsistencyLevel  # noqa: PLC0415
        from cassandra.auth import PlainTextAuthProvider  # noqa: PLC0415
        from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile  # noqa: PLC0415
        from cassandra.io.libevreactor import LibevConnection  # noqa: PLC0415
        from cassandra.policies import (  # noqa: PLC0415
            DCAwareRoundRobinPolicy,
            ExponentialReconnectionPolicy,
            TokenAwarePolicy,
        )
        from cassandra.query import tuple_factory  # noqa: PLC0415

        said = self.settings

        def profile(consistency: str) -> Any:
            return ExecutionProfile(
                load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc=said.local_datacenter)),
                consistency_level=ConsistencyLevel.name_to_value[consistency],
                serial_consistency_level=ConsistencyLevel.SERIAL,
                request_timeout=said.timeout_seconds,
                row_factory=tuple_factory,
            )

        return Cluster(
            said.contact_points,
            port=said.port,
            connection_class=LibevConnection,
            sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            ssl_context=self._tls(),
            auth_provider=PlainTextAuthProvider(said.username, self._password()) if said.username else None,
            execution_profiles={
                EXEC_PROFILE_DEFAULT: profile(said.write_consistency),
                READ: profile(said.read_consistency),
            },
            reconnection_policy=ExponentialReconnectionPolicy(*RECONNECT_SECONDS),
            protocol_version=PROTOCOL,
            connect_timeout=CONNECT_SECONDS,
            compression=False,
            idle_heartbeat_interval=5,
            idle_heartbeat_timeout=5,
        )

    def _password(self) -> str:
        if self.settings.password_file is None:
            return self.settings.password.get_secret_value()
        file = self._folder / self.settings.password_file
        try:
            return read_secret(file, "cassandra.password_file")
        except OSError as error:
            raise ConfigurationError(f"cassandra.password_file {file}: {error.strerror}") from None

    def _tls(self) -> ssl.SSLContext | None:
        said = self.settings
        if said.tls_ca_file is None:
            if not said.allow_unencrypted:
                demand_near(
                    said.contact_points,
                    "the way to cassandra.contact_points",
                    "Set cassandra.tls_ca_file",
                    "cassandra.allow_unencrypted",
                )
            return None
        try:
            context = ssl.create_default_context(cafile=str(self._folder / said.tls_ca_file))
            context.check_hostname = said.tls_check_hostname
            if said.tls_cert_file is not None:
                key = said.tls_key_file or said.tls_cert_file
                demand_private(self._folder / key, "cassandra.tls_key_file")
                context.load_cert_chain(str(self._folder / said.tls_cert_file), str(self._folder / key))
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"the TLS files of cassandra cannot be used: {error}", "See cassandra.tls_*.") from None
        return context
