"""Whoever writes to outside stores before he is through with old work says so first, and his successor takes it back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.records import MemoryFact
from streams import topics
from streams.agents.base import LocalState
from streams.agents.memory import MemoryAgent
from streams.core.checkpoint import Redo
from streams.core.presence import everything
from streams.ports.stores import MemoryStore
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.job import AgentFactory
from tests.chainlog import ChainLog, address
from tests.fakelog import FakeBroker
from tests.fakes import DictMemoryStore
from tests.unit.runtime.driving import FAST, caught_up, publish, settings, until, worker

HASTY = replace(FAST, held_writes=0)


class Watched(DictMemoryStore):
    """Whoever writes while ``deadly`` gets no further; notes what the log said of early writers at each write."""

    def __init__(self, broker: FakeBroker) -> None:
        super().__init__()
        self.broker = broker
        self.deadly = False
        self.said: list[Redo] = []

    async def apply(self, facts: Sequence[MemoryFact]) -> None:
        await super().apply(facts)
        self.said.append(await redo(self.broker))
        if self.deadly:
            await asyncio.Event().wait()

    async def claim(self, lane: bytes) -> MemoryStore:
        return self


async def redo(broker: FakeBroker) -> Redo:
    return Redo.of(await read_checkpoints(broker.reader(), "memory", 0))


def factory(store: MemoryStore, identity: bytes) -> AgentFactory:
    async def claim(_: int) -> bytes:
        return identity

    def make(partition: int, state: LocalState) -> MemoryAgent:
        return MemoryAgent(partition, state, store)

    return AgentFactory(MemoryAgent, make, claim=claim)


async def run(broker: FakeBroker, place: Path, store: MemoryStore, identity: bytes) -> None:
    place.mkdir(exist_ok=True)
    async with worker(broker, settings(place), [factory(store, identity)], HASTY) as task:
        await until(lambda: caught_up(broker, "memory", topics.TRANSACTIONS), task)
        await asyncio.sleep(0.3)


@pytest.mark.parametrize("identity", [b"stores", b""], ids=["named", "nameless"])
async def test_the_successor_of_one_who_wrote_early_and_was_lost_takes_it_back(tmp_path: Path, identity: bytes) -> None:
    """Its disk is lost, it does all again, and ends after the write of a block whose undo it has not come to."""
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    store = Watched(broker)
    chain.add([0])
    chain.add([1] * 4)  # a reader's first seven records end with this block
    publish(broker, chain)
    await run(broker, tmp_path / "one", store, identity)
    undone = {*await store.live_ids(address(1), everything)}
    chain.undo(1)
    publish(broker, chain, 2)
    await run(broker, tmp_path / "one", store, identity)
    assert not await store.live_ids(address(1), everything)

    store.deadly = True
    lost = asyncio.create_task(run(broker, tmp_path / "two", store, identity))
    await until(lambda: bool(store.said) and store.said[-1].unfinished, lost)
    lost.cancel()
    await asyncio.wait([lost])
    store.deadly = False
    assert (await redo(broker)).unfinished
    assert {*await store.live_ids(address(1), everything)} == undone, "so that the test says something"

    chain.add([2])
    publish(broker, chain, 3)
    await run(broker, tmp_path / "one", store, identity)
    assert not await store.live_ids(address(1), everything)
    settled = await redo(broker)
    assert settled.count and not settled.unfinished
