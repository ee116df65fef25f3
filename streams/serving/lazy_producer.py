"""A producer of a gateway that connects when it is first needed, so that a broker which is down is an error of the call.

Assumes the caller says what a failure means. Invariants: at most one connection is open, and one that did not come about is
closed; it logs in as the settings say, and a refusal is told from brokers that are away.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.cluster.arguments import client_arguments
from streams.cluster.refusals import explained
from streams.settings import KafkaSettings

DISCARD_SECONDS = 2.0


class LazyProducer:
    """Idempotent, without transactions. ``options``: what else it is made with."""

    def __init__(self, settings: KafkaSettings, **options: Any) -> None:
        self._settings = settings
        self._options = options
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    async def connected(self) -> AIOKafkaProducer:
        """The one that is open. Raises what connecting raises, ClusterAccessError."""
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(**client_arguments(self._settings), enable_idempotence=True, **self._options)
                try:
                    async with explained(self._settings):
                        await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def failed(self, error: BaseException) -> None:
        """Drops the connection if it is of no use after ``error``: a producer that lost its sequence stays broken."""
        if isinstance(error, KafkaError) and not error.retriable:
            with contextlib.suppress(TimeoutError, KafkaError, OSError):
                await asyncio.wait_for(self.stop(), DISCARD_SECONDS)

    async def stop(self) -> None:
        """Sends what waits and closes the connection; safe to call twice."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
