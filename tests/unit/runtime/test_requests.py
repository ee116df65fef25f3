"""A decision that depends on state is written to a topic, and what follows from it is the same however work is done again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from schemas.codec import codec
from streams import topics
from streams.agents.base import Emit, LocalState
from streams.agents.memory import MemoryAgent
from streams.core.presence import everything
from streams.runtime.job import AgentFactory
from streams.runtime.outbox import EmissionError, Outbox
from tests.chainlog import SIGNER, ChainLog, address
from tests.fakelog import FakeBroker
from tests.fakes import DictMemoryStore
from tests.unit.runtime.driving import caught_up, publish, settings, until, worker

LIMIT = 2


def factory(store: DictMemoryStore) -> AgentFactory:
    def make(partition: int, state: LocalState) -> MemoryAgent:
        return MemoryAgent(partition, state, store, limit=LIMIT)

    return AgentFactory(MemoryAgent, make)


def evictions(broker: FakeBroker) -> list[bytes]:
    facts = [codec().decode(value)[1] for _, value in broker.read(topics.EVICTIONS, 0) if value is not None]
    return [fact["memory_id"] for fact in facts]


async def live(store: DictMemoryStore) -> list[bytes]:
    return await store.live_ids(address(1), everything)


async def test_evictions_are_decided_once_and_followed_by_every_replay(tmp_path: Path) -> None:
    broker, chain, config, store = FakeBroker(partitions=1), ChainLog(partitions=1), settings(tmp_path), DictMemoryStore()
    for _ in range(6):
        chain.add([1])
    chain.finalize(4)
    publish(broker, chain)
    inputs = MemoryAgent.inputs
    async with worker(broker, config, [factory(store)]) as task:
        await until(lambda: len(set(evictions(broker))) == 2 and caught_up(broker, "memory", *inputs), task)
        assert len(await live(store)) == LIMIT + 2, "two of blocks that are not final come on top"
        done = len(chain.steps)
        chain.undo(1)
        chain.add([1], fork=1)
        chain.finalize(6)
        publish(broker, chain, done)
        await until(lambda: len(set(evictions(broker))) == 4 and caught_up(broker, "memory", *inputs), task)
    kept, asked = await live(store), evictions(broker)
    assert len(kept) == LIMIT
    assert not set(kept) & set(asked)
    shutil.rmtree(tmp_path)
    anew = DictMemoryStore()
    async with worker(broker, config, [factory(anew)]) as task:
        done = len(chain.steps)
        chain.add([2])
        publish(broker, chain, done)
        await until(lambda: caught_up(broker, "memory", *inputs), task)
    assert (await live(anew), evictions(broker)) == (kept, asked)


def test_only_declared_topics_take_requests() -> None:
    outbox = Outbox(MemoryAgent, 0, SIGNER, "t.")
    with pytest.raises(EmissionError, match="does not declare"):
        outbox.tables([Emit(topics.COMMANDS, bytes(20), "MemoryFact", {})])
    with pytest.raises(EmissionError, match="does not declare"):
        outbox.tables([Emit(topics.EVICTIONS, bytes(20), "MemoryFact", None)])
    with pytest.raises(EmissionError, match="does not fit"):
        outbox.tables([Emit(topics.EVICTIONS, bytes(20), "MemoryFact", {})])
