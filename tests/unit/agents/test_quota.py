"""Evictions: who goes, when, and how a decision becomes a fact."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.defaults import plain_command
from streams import topics
from streams.agents.base import Emit, Record
from streams.agents.memory import MemoryAgent
from streams.agents.memory_facts import evicted, eviction
from streams.agents.quota import Quota, rank_of
from streams.core.block import BlockRef
from streams.core.ids import chain_memory_id, command_memory_id, eviction_cause
from streams.core.presence import Fact, Presence
from streams.errors import PoisonError
from tests.fakes import DictMemoryStore, MemoryState, record_of
from tests.transactions import AGENT, PEER, chain_transaction


def block(number: int) -> BlockRef:
    return BlockRef(number, number.to_bytes(32, "big"), max(0, number - 1).to_bytes(32, "big"))


class Rig:
    """A memory agent, its log of requests, and what stands."""

    def __init__(self, limit: int) -> None:
        self.state, self.store = MemoryState(), DictMemoryStore()
        self.agent = MemoryAgent(0, self.state, self.store, limit=limit)
        self.log: list[Emit] = []

    def command(self, n: int, importance: float = 0.5, timestamp: int = 1_000, **fields: Any) -> bytes:
        """Stores memory ``n``; its id."""
        value = {**plain_command(bytes([n]) * 16, AGENT, "STORE", timestamp), "type": "WORKING", "content": b"note"}
        value |= {"importance": importance, **fields}
        self.take(None, [record_of(topics.COMMANDS, "MemoryCommand", value, key=AGENT)])
        return command_memory_id(AGENT, bytes([n]) * 16)

    def mined(self, number: int) -> list[Record]:
        return [record_of(topics.TRANSACTIONS, "ChainTransaction", chain_transaction(block=number, agent=AGENT), key=AGENT)]

    def take(self, at: BlockRef | None, records: list[Record]) -> None:
        self.log += [emit for emit in self.agent.apply(at, records) if emit.topic == topics.MEMORY_LOG]

    def final(self, number: int) -> list[bytes]:
        """Ids whose eviction is asked for at the end of the transaction that made the block final."""
        list(self.agent.finalize(block(number)))
        emits = list(self.agent.emit_before_commit())
        assert {emit.topic for emit in emits} <= {topics.EVICTIONS}
        self.asked = [record_of(emit.topic, emit.type, emit.value, key=emit.key) for emit in emits]
        return [record.value["memory_id"] for record in self.asked]

    def read_back(self) -> None:
        self.take(None, self.asked)

    async def live(self) -> list[bytes]:
        await self.agent.flush()
        return await self.store.live_ids(AGENT, lambda _: True)


async def test_the_least_important_then_the_oldest_go_and_only_once_something_is_final() -> None:
    rig = Rig(limit=3)
    kept = [rig.command(1, 0.9), rig.command(2, 0.5, 2_000)]
    oldest, low = rig.command(3, 0.5, 1_000), rig.command(4, 0.1, 9_000)
    last = rig.command(5, 0.7)
    assert list(rig.agent.emit_before_commit()) == []
    assert set(await rig.live()) == {*kept, oldest, low, last}
    assert rig.final(0) == [low, oldest]
    assert set(await rig.live()) == {*kept, oldest, low, last}, "a decision is no fact before it is read"
    assert list(rig.agent.emit_before_commit()) == []
    rig.read_back()
    assert set(await rig.live()) == {*kept, last}
    assert rig.log[-1].value == eviction(AGENT, oldest)
    assert rig.final(1) == []


async def test_what_is_asked_twice_is_done_once() -> None:
    rig = Rig(limit=1)
    low = rig.command(1, 0.1)
    rig.command(2, 0.9)
    assert rig.final(0) == rig.final(1) == [low]
    rig.read_back()
    before = dict(rig.state.content)
    rig.read_back()
    assert rig.state.content == before
    assert rig.final(2) == []


async def test_a_memory_of_a_block_that_is_not_final_neither_counts_nor_goes() -> None:
    rig = Rig(limit=1)
    stored = rig.command(1, 0.9)
    rig.take(block(5), rig.mined(5))
    rig.take(block(6), rig.mined(6))
    assert rig.final(4) == []
    five = chain_memory_id(1, block(5).hash, 0, AGENT, 1)
    assert rig.final(5) == [five]
    list(rig.agent.revert(block(6), rig.mined(6)))
    rig.read_back()
    assert await rig.live() == [stored]
    assert rig.final(6) == []


async def test_what_is_forgotten_makes_room_and_comes_back_with_the_undo_of_it() -> None:
    rig = Rig(limit=1)
    low = rig.command(1, 0.1)
    rig.command(2, 0.9)
    forget = record_of(
        topics.COMMANDS, "MemoryCommand", {**plain_command(b"\x09" * 16, AGENT, "FORGET", 5), "memory_id": low}, key=AGENT
    )
    rig.take(None, [forget])
    assert rig.final(0) == []


def test_an_agent_at_its_limit_has_some_room_afterwards() -> None:
    """So it is looked through for every so many memories, not for each."""
    state = MemoryState()
    quota = Quota(state, limit=128)
    for n in range(129):
        quota.look(AGENT, bytes([n]) * 32, Presence(frozenset({Fact(bytes([n]) * 32)})), rank_of(0.5, n))
    assert [memory_id for _, memory_id in quota.excess()] == [bytes([n]) * 32 for n in range(3)]


def test_agents_are_counted_apart() -> None:
    quota = Quota(MemoryState(), limit=2)
    for owner, many in ((AGENT, 3), (PEER, 2)):
        for n in range(many):
            quota.look(owner, bytes([n]) * 32, Presence(frozenset({Fact(bytes([n]) * 32)})), rank_of(0.5, n))
    assert list(quota.excess()) == [(AGENT, bytes(32))]
    assert (quota.count(AGENT), quota.count(PEER)) == (3, 2)


def test_a_block_that_left_the_chain_is_not_final_any_more() -> None:
    rig = Rig(limit=10)
    rig.take(block(5), rig.mined(5))
    rig.final(5)
    assert rig.agent._quota.count(AGENT) == 1
    list(rig.agent.revert(block(5), rig.mined(5)))
    assert rig.agent._quota.count(AGENT) == 0
    rig.take(block(5), rig.mined(5))
    assert rig.agent._quota.count(AGENT) == 0
    rig.final(5)
    assert rig.agent._quota.count(AGENT) == 1


@pytest.mark.parametrize(
    ("key", "change"),
    [(PEER, {}), (None, {}), (AGENT, {"op": "UPSERT"}), (AGENT, {"cause": bytes(32)}), (AGENT, {"owner": PEER})],
)
def test_a_fact_that_is_no_eviction_is_refused(key: bytes | None, change: dict[str, Any]) -> None:
    fact: Any = {**eviction(AGENT, bytes(32)), **change}
    with pytest.raises(PoisonError, match="no eviction"):
        evicted(key, fact)


def test_an_eviction_has_one_name() -> None:
    assert evicted(AGENT, eviction(AGENT, bytes(32)))[0]["cause"] == eviction_cause(AGENT, bytes(32))


def test_ranks_sort_as_they_are_evicted() -> None:
    ranks = [rank_of(0.0, 5), rank_of(0.0, 6), rank_of(1e-300, -5), rank_of(0.5, 0), rank_of(1.0, 253_402_300_799)]
    assert ranks == sorted(ranks)
    assert len({len(rank) for rank in ranks}) == 1
