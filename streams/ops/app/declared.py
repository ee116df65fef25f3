"""What parts of the application are declared with: topics of reports, tables with a topic of changes, and where windows go.

Invariant: an event is acknowledged when the brokers have what it changed in tables and what it had said, so that nothing of it
is lost, whenever the process is killed; faust's own commit gives up waiting for a table's changes after a tenth of a second. An
event that fails ends the application, unacknowledged: an agent that only began again would be past it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import faust
from faust.auth import SASLCredentials, SSLCredentials

from streams.cluster.arguments import client_arguments
from streams.ops.reports import MOST_BYTES, Window
from streams.settings import OPS, KafkaSettings, Settings
from streams.topics import OPS_HEALTH, OPS_METRICS, OPS_SLO, OPS_WINDOWS, physical

COMMIT_SECONDS = 1.0
NEVER = 10 * 365 * 86_400.0
"""Seconds after which faust calls a partition stuck that committed nothing: also one in which nobody's reports lie."""
FOLDER = Path("ops")
"""In the state folder, for what faust keeps there: nothing, with tables in memory."""


class KeptTable(faust.Table[bytes, bytes]):
    """A table whose changes can be waited for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._sent: list[Awaitable[Any]] = []

    def send_changelog(self, *args: Any, **options: Any) -> Any:
        future = super().send_changelog(*args, **options)
        self._sent.append(future)
        return future

    def drained(self) -> list[Awaitable[Any]]:
        """Changes sent since the last call."""
        sent, self._sent = self._sent, []
        return sent


class OpsApp:
    """``app``: faust's. ``metrics``, ``health``: the topics of reports, whose values are bytes. ``failed``: with what a fold
    failed.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._kafka = kafka = settings.kafka.as_role(OPS)
        self.app = faust.App(
            physical(kafka.prefix, OPS),
            broker=[f"kafka://{server.strip()}" for server in kafka.bootstrap.split(",")],
            broker_credentials=_credentials(kafka),
            broker_session_timeout=kafka.session_timeout_ms / 1000,
            broker_heartbeat_interval=kafka.heartbeat_interval_ms / 1000,
            broker_request_timeout=kafka.request_timeout_ms / 1000,
            broker_commit_interval=COMMIT_SECONDS,
            broker_commit_livelock_soft_timeout=NEVER,
            broker_max_poll_interval=300.0,
            consumer_auto_offset_reset="earliest",
            processing_guarantee="at_least_once",
            producer_compression_type="zstd",
            producer_max_request_size=2 * MOST_BYTES,
            producer_acks=-1,
            store="memory://",
            stream_wait_empty=False,  # what is unacknowledged comes again
            datadir=settings.path(FOLDER),
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            Table=KeptTable,
        )
        self.metrics = self._topic(OPS_METRICS)
        self.health = self._topic(OPS_HEALTH)
        self.windows = self._topic(OPS_WINDOWS)
        self.slo = self._topic(OPS_SLO)
        self._tables: list[KeptTable] = []
        self.failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    def table(self, name: str) -> KeptTable:
        """Keys and values are bytes; its changes are in the topic ``ops.table.NAME``, which has as many partitions as the topic
        that it is folded from.
        """
        changes = self._topic(f"ops.table.{name}", acks=False, internal=True, compacting=True, allow_empty=True)
        table: Any = self.app.Table(name, key_type=bytes, value_type=bytes, changelog_topic=changes)
        kept: KeptTable = table
        self._tables.append(kept)
        return kept

    async def fold(self, stream: Any, take: Callable[[Any], Iterable[Window]], said: Any) -> None:
        """Has ``take`` fold each event of a stream into tables; what it returns goes to the topic ``said``."""
        try:
            async for event in stream.noack().events():
                windows = take(event)
                sent = [future for table in self._tables for future in table.drained()]
                sent += [await said.send(key=window.key, value=window.to_value()) for window in windows]
                await asyncio.gather(*sent)
                event.ack()
        except Exception as error:  # whatever it is: the process ends with it, and the next one begins with this event
            if not self.failed.done():
                self.failed.set_result(error)
            await asyncio.Event().wait()  # an agent that ended would be started again, past this event

    def _topic(self, name: str, **options: Any) -> Any:
        topic = physical(self._kafka.prefix, name)
        return self.app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", **options)


def _credentials(kafka: KafkaSettings) -> SASLCredentials | SSLCredentials | None:
    """As every client of ours shows, in faust's words."""
    arguments = client_arguments(kafka)
    context = arguments.get("ssl_context")
    if "sasl_mechanism" in arguments:
        return SASLCredentials(
            username=arguments["sasl_plain_username"],
            password=arguments["sasl_plain_password"],
            mechanism=arguments["sasl_mechanism"],
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None
