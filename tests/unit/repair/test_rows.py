"""Rows become what the log says; what commands said stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import MemoryFact
from streams.agents.memory_facts import delete_fact, upsert_fact
from streams.core.presence import Fact
from streams.core.sync.digests import chain_facts
from streams.ports.stores import StoredMemory
from streams.repair.rows import plan_agent
from tests.serving_fakes import FakeMemoryStore
from tests.steps import block
from tests.unit.serving.world import ALICE, upsert

BLOCKS = [block(number, 0, bytes(32)) for number in range(1, 4)]
CHAIN = {ref.hash for ref in BLOCKS}
LOG = [upsert(ALICE, ref, index, f"did {index}") for ref in BLOCKS for index in range(2)]
IDS = [fact["memory_id"] for fact in LOG]
OTHER = block(2, 5, bytes(32))


def deleting(memory_id: bytes, at: Any = None) -> MemoryFact:
    return delete_fact(b"\x07" * 32, ALICE, memory_id, None if at is None else at.record())


def forged(fact: MemoryFact) -> MemoryFact:
    assert fact["memory"] is not None
    memory = {**fact["memory"], "id": b"\x05" * 32}
    return upsert_fact(b"\x05" * 32, memory, fact["block"])  # type: ignore[arg-type]


class Damaged(FakeMemoryStore):
    """A store that was damaged in chosen ways. Commands, and a row of an undone block, lie in it too."""

    @classmethod
    async def by(cls, lost: set[int], altered: set[int], extra: bool, forgotten: set[int]) -> Damaged:
        store = cls()
        await store.apply(LOG)
        await store.apply([deleting(IDS[at]) for at in forgotten])
        await store.apply([upsert(ALICE, OTHER, 0, "undone")])
        for at in altered:
            row = store.rows[ALICE, IDS[at]]
            assert row.memory is not None
            store.rows[ALICE, IDS[at]] = replace(row, memory={**row.memory, "content": b"altered"})
        await store.revert([LOG[at] for at in lost])
        if extra:
            await store.apply([forged(LOG[0]), deleting(IDS[1], BLOCKS[2])])
        return store

    def said(self) -> set[bytes]:
        """All that the chain says in it."""
        return {
            fact.element
            for (owner, memory_id), row in self.rows.items()
            for fact in chain_facts(owner, memory_id, row.memory, row.presence, lambda _, block_hash: block_hash in CHAIN)
        }

    def commands(self) -> set[tuple[bytes, Fact]]:
        return {(key[1], fact) for key, row in self.rows.items() for fact in row.presence.deletes if not fact.block_hash}


PLACES = st.sets(st.integers(0, len(LOG) - 1))


@given(PLACES, PLACES, st.booleans(), PLACES)
async def test_any_damage_is_mended_and_only_once(lost: set[int], altered: set[int], extra: bool, forgotten: set[int]) -> None:
    whole = await Damaged.by(set(), set(), False, forgotten)
    store = await Damaged.by(lost, altered - lost, extra, forgotten)
    plan = await plan_agent(store, ALICE, [memory_id for _, memory_id in store.rows], LOG, CHAIN)
    assert bool(plan) is bool(lost or altered - lost or extra)
    await store.revert(plan.revert)
    await store.apply(plan.apply)
    assert store.said() == whole.said()
    assert store.commands() == whole.commands()
    assert (ALICE, upsert(ALICE, OTHER, 0, "undone")["memory_id"]) in store.rows
    assert not await plan_agent(store, ALICE, [memory_id for _, memory_id in store.rows], LOG, CHAIN)


async def test_what_was_put_in_can_be_taken_out_again() -> None:
    store = await Damaged.by({0, 3}, set(), True, {1})
    before = dict(store.rows)
    plan = await plan_agent(store, ALICE, [memory_id for _, memory_id in store.rows], LOG, CHAIN)
    await store.revert(plan.revert)
    await store.apply(plan.apply)
    await store.revert(plan.apply)
    await store.apply(plan.revert)
    assert {key: row.presence for key, row in store.rows.items()} == {key: row.presence for key, row in before.items()}


async def test_a_memory_that_an_import_brought_is_not_altered() -> None:
    store = FakeMemoryStore()
    await store.apply(LOG)
    row = store.rows[ALICE, IDS[0]]
    assert row.memory is not None
    store.rows[ALICE, IDS[0]] = StoredMemory({**row.memory, "source": "IMPORT"}, row.presence)
    assert not await plan_agent(store, ALICE, IDS, LOG, CHAIN)
