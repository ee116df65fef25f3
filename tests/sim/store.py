"""The simulated memory store: slow, and failing before or after the write. It outlives the processes that use it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from schemas.records import MemoryFact
from streams.errors import StoreError
from tests.fakes import DictMemoryStore
from tests.sim.client import Faults
from tests.sim.parameters import Parameters
from tests.sim.process import current


class SimMemoryStore(DictMemoryStore):
    """``MemoryStore``; every write passes a point of I/O before and after it took effect."""

    def __init__(self, parameters: Parameters, faults: Faults) -> None:
        super().__init__()
        self._parameters = parameters
        self._faults = faults

    async def apply(self, facts: Sequence[MemoryFact]) -> None:
        await self._before("store.apply")
        await super().apply(facts)
        await self._after("store.apply")

    async def revert(self, facts: Sequence[MemoryFact]) -> None:
        await self._before("store.revert")
        await super().revert(facts)
        await self._after("store.revert")

    async def _before(self, point: str) -> None:
        await self._fail(point)
        await asyncio.sleep(current().world.random.random() * self._parameters.store_latency)
        current().check()

    async def _after(self, point: str) -> None:
        self.calls.clear()
        await self._fail(f"{point} done")

    async def _fail(self, point: str) -> None:
        await current().io(point)
        if self._faults.hit(self._parameters.store_errors):
            raise StoreError(f"no answer to {point}")
