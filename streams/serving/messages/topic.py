"""The topic's two ends in a gateway: requests are followed from now on, answers are written without a transaction.

An answer that is lost is asked for again: nobody's state hangs on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.cluster.arguments import client_arguments
from streams.cluster.denials import denial
from streams.cluster.refusals import explained
from streams.serving.faults import UnavailableError
from streams.serving.messages.desk import MessageDesk
from streams.serving.tail import TopicTail, each
from streams.settings import KafkaSettings
from streams.topics import MESSAGES, physical

log = logging.getLogger(__name__)


class MessageWriter:
    """Writes messages; connects at the first one."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = physical(settings.prefix, MESSAGES)
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, target: str, value: bytes) -> None:
        """Raises UnavailableError, ClusterAccessError."""
        try:
            producer = await self._connected()
            await producer.send_and_wait(self._topic, value, key=target.encode())
        except (KafkaError, OSError) as error:
            if (denied := denial(error, "WRITE")) is not None:
                raise UnavailableError(denied.message, denied.hint) from None
            raise UnavailableError(f"a message was not written: {type(error).__name__}", "Is the broker up?") from None

    async def _connected(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **client_arguments(self._settings),
                    enable_idempotence=True,
                    compression_type="zstd",
                    max_request_size=2 * 1024 * 1024,
                    request_timeout_ms=self._settings.request_timeout_ms,
                )
                try:
                    async with explained(self._settings):
                        await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def stop(self) -> None:
        """Closes the connection; safe to call twice."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, OSError):
                await producer.stop()


class MessageTail:
    """Hands every message from now on to a desk."""

    def __init__(self, settings: KafkaSettings, desk: MessageDesk, writer: MessageWriter) -> None:
        self.tail = TopicTail(settings, MESSAGES, each(settings, MESSAGES, lambda record: desk.take(record.value)), newest=True)
        self._desk = desk
        self._writer = writer

    def start(self) -> None:
        """Begins to follow."""
        self.tail.start()

    async def stop(self) -> None:
        """Stops following, and answering."""
        await self.tail.stop()
        await self._desk.close()
        await self._writer.stop()
