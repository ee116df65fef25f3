"""Readers of one stream agent's loop, kept connected between uses: making one costs more than most of what is read.

Invariant: a reader is lent to one user at a time, and one that met an error is never lent again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.ports.log import LogClient, LogReader

KEPT = 2


class Readers:
    """Closes all but ``KEPT`` when they come back."""

    def __init__(self, client: LogClient) -> None:
        self._client = client
        self._idle: list[LogReader] = []
        self._closed = False

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[LogReader]:
        """A reader for the block."""
        reader = self._idle.pop() if self._idle else self._client.reader()
        try:
            yield reader
        except BaseException:
            await reader.close()
            raise
        if self._closed or len(self._idle) >= KEPT:
            await reader.close()
        else:
            self._idle.append(reader)

    async def close(self) -> None:
        """Closes those nobody uses, and the others when they come back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()
