"""Reads ops.slo into a ledger: all of it once, and what comes after.

Assumes one partition. Invariant: what is no half hour of an objective is passed over.
"""

from __future__ import annotations

import logging

from schemas.codec import SchemaError
from streams.ops.reports import Window
from streams.ops.slo.budget import Ledger
from streams.ports.log import LogClient, TopicPartition
from streams.topics import OPS_SLO

_log = logging.getLogger(__name__)
SOURCE = TopicPartition(OPS_SLO, 0)


class SloHistory:
    """``ledger``: what is known so far."""

    def __init__(self, client: LogClient) -> None:
        self.ledger = Ledger()
        self._reader = client.reader()
        self._position = 0

    async def read(self) -> None:
        """Takes in what the topic holds by now. Raises LogError."""
        start, end = (await self._reader.bounds([SOURCE]))[SOURCE]
        start = max(start, self._position)
        if start >= end:
            return
        async for batch in self._reader.read_range(SOURCE, start, end):
            for message in batch:
                self._take(message.value, message.offset)
        self._position = end

    def _take(self, value: bytes | None, offset: int) -> None:
        if value is None:
            return
        try:
            self.ledger.take(Window.from_value(value))
        except SchemaError as error:
            _log.warning("ops.slo, offset %d: %s", offset, error)

    async def close(self) -> None:
        await self._reader.close()
