"""The topic's two ends in a gateway: requests are followed from now on, answers are written without a transaction.

An answer that is lost is asked for again: nobody's state hangs on it.
"""

from __future__ import annotations

import contextlib
import logging

from aiokafka.errors import KafkaError

from streams.cluster.denials import denial
from streams.serving.faults import UnavailableError
from streams.serving.lazy_producer import LazyProducer
from streams.serving.messages.desk import MessageDesk
from streams.serving.tail import TopicTail, each
from streams.settings import KafkaSettings
from streams.topics import MESSAGES, physical

log = logging.getLogger(__name__)


class MessageWriter:
    """Writes messages; connects at the first one."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = physical(settings.prefix, MESSAGES)
        self._producer = LazyProducer(
            settings,
            compression_type="zstd",
            max_request_size=2 * 1024 * 1024,
            request_timeout_ms=settings.request_timeout_ms,
        )

    async def __call__(self, target: str, value: bytes) -> None:
        """Raises UnavailableError, ClusterAccessError."""
        try:
            producer = await self._producer.connected()
            await producer.send_and_wait(self._topic, value, key=target.encode())
        except (KafkaError, OSError) as error:
            await self._producer.failed(error)
            if (denied := denial(error, "WRITE")) is not None:
                raise UnavailableError(denied.message, denied.hint) from None
            raise UnavailableError(f"a message was not written: {type(error).__name__}", "Is the broker up?") from None

    async def stop(self) -> None:
        """Closes the connection; safe to call twice."""
        with contextlib.suppress(KafkaError, OSError):
            await self._producer.stop()


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
