"""An agent's index says what the stores and the chain view say, after any history."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import MemoryFact
from streams.core.block import BlockRef
from streams.errors import StoreError
from streams.ports.stores import VectorRow, Version
from streams.serving.retrieval import kept as kept_module
from streams.serving.retrieval.kept import KeptIndex, UntoldError
from tests.serving_fakes import FakeChain, FakeMemoryStore, FakeVectorStore
from tests.steps import block, step_new, step_undo
from tests.unit.serving.world import ALICE, BOB, World, upsert

ROOM = 64 << 20


async def content(world: World, agent: bytes = ALICE) -> set[bytes]:
    async with world.indexes.of(agent) as index:
        assert index is not None
        return {row["id"] for _, row in _memories(world, agent) if row["id"] in index}


def _memories(world: World, agent: bytes) -> list:
    return [(key, row.memory) for key, row in world.memories.rows.items() if key[0] == agent and row.memory]


def live(world: World, agent: bytes = ALICE) -> set[bytes]:
    rows = [row for (owner, _), row in world.memories.rows.items() if owner == agent]
    return {row.memory["id"] for row in rows if row.memory and world.chain.view.live(row.presence)}


async def test_follows_writes_and_reads_only_what_changed(world: World) -> None:
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, i, f"swap number {i}") for i in range(30)))
    assert len(await content(world)) == 30
    asked: list[int] = []
    get = world.memories.get

    async def counted(agent: bytes, ids: list[bytes]) -> list:
        asked.append(len(ids))
        return await get(agent, ids)

    world.memories.get = counted  # type: ignore[method-assign, assignment]
    await content(world)
    assert asked == []
    await world.remember(upsert(ALICE, ref, 30, "one more"))
    assert await content(world) == live(world)
    assert sum(asked) <= 2  # once for the row, once for its vector


async def test_pages_of_a_large_agent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_module, "PAGE", 7)
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, i, f"swap number {i}") for i in range(40)))
    assert await content(world) == live(world)
    async with world.indexes.of(ALICE) as index:
        assert index is not None
        assert all(index.vector(memory_id).any() for memory_id in live(world))


async def test_undone_rows_leave_and_come_back_with_their_branch(world: World) -> None:
    base, ref = world.blocks[-1], world.grow()
    fact = upsert(ALICE, ref, 0, "swapped eth")
    await world.remember(fact)
    assert await content(world) == {fact["memory_id"]}
    world.chain.view.apply(step_undo(2, [ref], base))
    assert await content(world) == set()
    world.chain.view.apply(step_new(3, ref))
    assert await content(world) == {fact["memory_id"]}


async def test_a_row_of_a_block_ahead_of_the_view_waits_for_it(world: World) -> None:
    ahead = block(1, 0, world.blocks[-1].hash)
    await world.remember(upsert(ALICE, ahead, 0, "swapped eth"))
    assert await content(world) == set()
    world.chain.view.apply(step_new(1, ahead))
    assert len(await content(world)) == 1


async def test_an_undo_below_what_was_settled_is_seen() -> None:
    world = World()
    refs = [world.grow() for _ in range(3)]
    fact = upsert(ALICE, refs[0], 0, "swapped eth")
    await world.remember(fact)
    world.chain.view.floor = refs[2].number  # as if finality had passed
    assert await content(world) == {fact["memory_id"]}
    sequence = world.chain.view.sequence
    assert sequence is not None
    world.chain.view.apply(step_undo(sequence + 1, refs[::-1], world.blocks[0]))
    assert await content(world) == set()
    world.close()


async def test_a_vector_that_comes_late_is_taken_in(world: World) -> None:
    ref = world.grow()
    fact = upsert(ALICE, ref, 0, "swapped eth")
    await world.memories.apply([fact])
    async with world.indexes.of(ALICE) as index:
        assert index is not None
        assert not index.vector(fact["memory_id"]).any()
    await world.index.upsert([VectorRow(ALICE, fact["memory_id"], world.embedder.embed(["swapped eth"])[0])])
    async with world.indexes.of(ALICE) as index:
        assert index is not None
        assert index.vector(fact["memory_id"]).any()


async def test_a_vector_store_without_versions_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: object) -> None:
        return None

    monkeypatch.setattr(world.index, "version", none)
    await test_a_vector_that_comes_late_is_taken_in(world)


async def test_a_memory_store_that_cannot_tell_leaves_it_to_the_vectors(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: object) -> None:
        return None

    monkeypatch.setattr(world.memories, "version", none)
    async with world.indexes.of(ALICE) as index:
        assert index is None
    assert ALICE not in world.indexes
    with pytest.raises(UntoldError):
        await KeptIndex(ALICE, 8).refresh(world.memories, world.index, world.chain.view, ROOM)


async def test_what_is_too_large_is_not_held(world: World) -> None:
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, i, f"swap number {i}") for i in range(5)))
    world.indexes._capacity = 10_000
    async with world.indexes.of(ALICE) as index:
        assert index is None
    assert world.indexes.nbytes <= 10_000


async def test_the_least_recently_used_leaves(world: World) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth"), upsert(BOB, ref, 1, "swapped dai"))
    await content(world, ALICE)
    one = world.indexes.nbytes
    world.indexes._capacity = one + one // 2
    await content(world, BOB)
    assert BOB in world.indexes
    assert ALICE not in world.indexes
    assert world.indexes.nbytes <= world.indexes._capacity
    world.indexes.drop(BOB)
    assert world.indexes.nbytes == 0


async def test_an_agents_index_holds_no_other_agents_row(world: World) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth"), upsert(BOB, ref, 1, "swapped dai"))
    async with world.indexes.of(ALICE) as index:
        assert index is not None
        assert len(index) == 1


async def test_a_store_that_fails_is_repaired_by_the_next_look(world: World) -> None:
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, i, f"swap number {i}") for i in range(3)))
    world.index.broken = True
    with pytest.raises(StoreError):
        await content(world)
    world.index.broken = False
    assert await content(world) == live(world)


STEPS = st.lists(st.sampled_from(["grow", "undo", "write", "write", "take", "vector", "look"]), max_size=25)


@settings(max_examples=60, deadline=None)
@given(STEPS)
async def test_any_history(steps: list[str]) -> None:
    chain, memories, vectors = FakeChain(), FakeMemoryStore(), FakeVectorStore()
    blocks = [block(0, 0, bytes(32))]
    chain.view.apply(step_new(0, blocks[0]))
    kept, facts = KeptIndex(ALICE, 8), list[MemoryFact]()
    row = [1.0] + [0.0] * 7
    for number, step in enumerate(steps):
        assert chain.view.sequence is not None
        if step == "grow":
            ref: BlockRef = block(blocks[-1].number + 1, number, blocks[-1].hash)
            blocks.append(ref)
            chain.view.apply(step_new(chain.view.sequence + 1, ref))
        elif step == "undo" and len(blocks) > 1:
            gone = blocks.pop()
            chain.view.apply(step_undo(chain.view.sequence + 1, [gone], blocks[-1]))
        elif step == "write":
            facts.append(upsert(ALICE, blocks[-1], number, f"note {number}"))
            await memories.apply(facts[-1:])
        elif step == "take" and facts:
            await memories.revert([facts.pop(0)])
        elif step == "vector" and facts:
            await vectors.upsert([VectorRow(ALICE, facts[-1]["memory_id"], row)])  # type: ignore[arg-type]
        elif step == "look":
            await kept.refresh(memories, vectors, chain.view, ROOM)
    await kept.refresh(memories, vectors, chain.view, ROOM)
    rows = {memory_id: held for (_, memory_id), held in memories.rows.items()}
    expected = {memory_id for memory_id, held in rows.items() if chain.view.live(held.presence)}
    assert {memory_id for memory_id in rows if memory_id in kept.index} == expected
    assert len(kept.index) == len(expected)
    with_vectors = {memory_id for memory_id in expected if kept.index.vector(memory_id).any()}
    assert with_vectors == {memory_id for memory_id in expected if (ALICE, memory_id) in vectors.rows}
    assert kept._memories in (None, await memories.version(ALICE), Version(0, 0))
