"""The simulated memory store: slow, and failing before or after the write. It outlives the processes that use it.

Writes go through the owner of a lane; those of a former owner are refused, whenever they arrive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from schemas.records import MemoryFact
from streams.errors import FencedError, StoreError
from tests.fakes import DictMemoryStore
from tests.sim.client import Faults
from tests.sim.parameters import Parameters
from tests.sim.process import current


class SimMemoryStore(DictMemoryStore):
    """What is stored, and who owns which lane: the newest number wins."""

    def __init__(self, parameters: Parameters, faults: Faults) -> None:
        super().__init__()
        self.parameters = parameters
        self.owners: dict[bytes, int] = {}
        self._faults = faults

    async def claim(self, lane: bytes) -> Lane:
        await self.fail("store.claim")
        self.owners[lane] = self.owners.get(lane, 0) + 1
        await self.fail("store.claim done")
        return Lane(self, lane, self.owners[lane])

    def owned(self, lane: bytes, number: int) -> None:
        """Raises FencedError if the lane has a newer owner."""
        if self.owners[lane] != number:
            raise FencedError(f"{lane.decode()} has a newer owner")

    async def fail(self, point: str) -> None:
        """A point of I/O that may fail."""
        await current().io(point)
        if self._faults.hit(self.parameters.store_errors):
            raise StoreError(f"no answer to {point}")


class Lane(DictMemoryStore):
    """``MemoryStore`` for one owner; every write passes a point of I/O before and after it took effect."""

    def __init__(self, store: SimMemoryStore, lane: bytes, number: int) -> None:
        super().__init__()
        self.rows = store.rows
        self.versions = store.versions
        self._store = store
        self._lane = lane
        self._number = number

    async def apply(self, facts: Sequence[MemoryFact]) -> None:
        await self._before("store.apply")
        await super().apply(facts)
        await self._after("store.apply")

    async def revert(self, facts: Sequence[MemoryFact]) -> None:
        await self._before("store.revert")
        await super().revert(facts)
        await self._after("store.revert")

    async def _before(self, point: str) -> None:
        await self._store.fail(point)
        await asyncio.sleep(current().world.random.random() * self._store.parameters.store_latency)
        current().check()
        self._store.owned(self._lane, self._number)

    async def _after(self, point: str) -> None:
        self.calls.clear()
        await self._store.fail(f"{point} done")
