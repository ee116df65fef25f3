"""MemoryStore on Cassandra, shared by all workers and gateways.

Assumes that equal memory ids mean equal memories (they are content ids), and that of one agent's rows one owner writes at a
time; what happens when that is not so is said in ``stamps``. Tables: ``schema``. Writes: ``writing``. Reads: ``reading``.
Invariant: a write that returned lies on as many nodes as ``write_consistency`` says; anything else raises StoreError.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from copy import copy
from pathlib import Path

from connectors.stores.cassandra.connection import Connection
from connectors.stores.cassandra.reading import Reading
from connectors.stores.cassandra.stamps import Writer
from connectors.stores.cassandra.writing import Writing
from connectors.stores.keys import check_agent
from schemas.records import Memory, MemoryFact
from streams.errors import StoreError
from streams.ports.stores import Canonical, Changes, Concern, Counts, Footing, MemoryFilter, StoredMemory, Version
from streams.settings import CassandraSettings


class CassandraMemoryStore:
    """Connects when it is first asked for something. ``folder``: what relative paths of the settings are relative to."""

    def __init__(self, settings: CassandraSettings, folder: Path = Path()) -> None:
        self._connection = Connection(settings, folder)
        self._reading = Reading(self._connection)
        self._writer = Writer(self._connection)
        self._writing = Writing(self._connection, self._writer)

    @property
    def identity(self) -> bytes:
        """Known from the first answer on."""
        return self._connection.identity

    async def claim(self, lane: bytes) -> CassandraMemoryStore:
        """A handle on the same session that ends with this one; its writes stop when the lane is claimed again."""
        await self._connection.ready()
        claimed = copy(self)
        claimed._writer = Writer(self._connection, lane)
        claimed._writing = Writing(self._connection, claimed._writer)
        await claimed._writer.claim()
        self._writer.outrun()
        return claimed

    async def apply(self, facts: Sequence[MemoryFact]) -> None:
        await self._change(facts, forward=True)

    async def revert(self, facts: Sequence[MemoryFact]) -> None:
        await self._change(facts, forward=False)

    async def get(self, agent: bytes, ids: Sequence[bytes]) -> list[StoredMemory | None]:
        return await self._reading.get(check_agent(agent), ids)

    async def query(self, agent: bytes, wanted: MemoryFilter, canonical: Canonical) -> list[Memory]:
        return await self._reading.query(check_agent(agent), wanted, canonical)

    async def live_ids(self, agent: bytes, canonical: Canonical) -> list[bytes]:
        return await self._reading.live_ids(check_agent(agent), canonical)

    async def concerning(self, agent: bytes, concerns: Sequence[Concern], counts: Counts) -> list[StoredMemory]:
        return await self._reading.concerning(check_agent(agent), concerns, counts)

    def agents(self) -> AsyncIterator[bytes]:
        return self._reading.agents()

    async def version(self, agent: bytes) -> Version:
        return await self._reading.version(check_agent(agent))

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes:
        return await self._reading.changes(check_agent(agent), since, limit)

    async def footing(self, agent: bytes, since: int, now: int) -> Footing:
        return await self._reading.footing(check_agent(agent), since, now)

    async def close(self) -> None:
        if self._writer.lane is None:
            await self._connection.close()

    async def _change(self, facts: Sequence[MemoryFact], forward: bool) -> None:
        if self._connection.closed:
            raise StoreError("the memory store on Cassandra is closed")
        if facts:
            await self._writing.change(facts, forward)
