"""One question to several agents' memories: those that were named, and no other."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
import pytest

from connectors.stores.pooled import MergedSearch
from schemas.defaults import plain_memory
from schemas.records import Memory, MemoryFact
from streams.ports.stores import Hit
from streams.retrieval.ranked import Question
from streams.serving.retrieval import pooled
from streams.serving.retrieval.pooled import Pooled
from tests.steps import step_undo
from tests.unit.serving.world import ALICE, BOB, World, upsert

CAROL = b"\xc0" * 20


def pool(world: World) -> Pooled:
    return Pooled(world.reads, world.indexes, world.vectors, MergedSearch(world.index))


async def ask(world: World, agents: Set[bytes], text: str = "swapped eth") -> set[str]:
    return {found.text for found in await pool(world).rank(agents, Question(ALICE, text, 10, -1.0))}


async def filled(world: World) -> None:
    ref = world.grow()
    names = {ALICE: "alice", BOB: "bob", CAROL: "carol"}
    await world.remember(*(upsert(agent, ref, 0, f"swapped eth of {name}") for agent, name in names.items()))


async def test_those_named_and_no_other(world: World) -> None:
    await filled(world)
    assert await ask(world, {ALICE, BOB}) == {"swapped eth of alice", "swapped eth of bob"}
    assert await ask(world, {BOB}) == {"swapped eth of bob"}
    assert await ask(world, set()) == set()
    assert CAROL not in world.indexes


async def test_scores_depend_on_nobody_else(world: World) -> None:
    await filled(world)
    question = Question(ALICE, "swapped eth", 10, -1.0)
    before = [(found.text, found.score) for found in await pool(world).rank({ALICE, BOB}, question)]
    await world.remember(*(upsert(CAROL, world.grow(), i, f"swapped eth {i}") for i in range(9)))
    assert [(found.text, found.score) for found in await pool(world).rank({ALICE, BOB}, question)] == before


async def test_two_agents_may_hold_one_id(world: World) -> None:
    ref = world.grow()
    mine, memory = upsert(ALICE, ref, 0, "swapped eth of alice"), upsert(BOB, ref, 0, "swapped eth of bob")["memory"]
    assert memory is not None
    imported: MemoryFact = {**mine, "owner": BOB, "block": None, "memory": {**memory, "id": mine["memory_id"]}}
    await world.remember(mine, imported)
    assert await ask(world, {ALICE, BOB}) == {"swapped eth of alice", "swapped eth of bob"}


async def test_of_many_those_with_the_nearest_vectors(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled(world)
    monkeypatch.setattr(pooled, "ABREAST", 1)
    assert await ask(world, {ALICE, BOB}, "eth of bob") == {"swapped eth of bob"}


async def test_what_is_undone_is_in_no_pool(world: World) -> None:
    base = world.blocks[-1]
    await filled(world)
    world.chain.view.apply(step_undo(2, [world.blocks.pop()], base))
    assert await ask(world, {ALICE, BOB}) == set()


async def test_merged_search_is_the_search_of_all_and_drops_what_leaks(world: World) -> None:
    await filled(world)
    vector = world.embedder.embed(["swapped eth of bob"])[0]
    search = MergedSearch(world.index)
    hits = await search.nearest({ALICE, BOB}, vector, 5)
    assert [hit.agent for hit in hits] == [BOB, ALICE]
    assert [hit.agent for hit in await search.nearest({ALICE, BOB}, vector, 1)] == [BOB]
    assert await search.nearest(set(), vector, 5) == []

    async def leaking(agent: bytes, vector: np.ndarray, limit: int) -> list[Hit]:
        return [Hit(CAROL, bytes(32), 1.0)]

    world.index.search = leaking  # type: ignore[method-assign]
    assert await search.nearest({ALICE, BOB}, vector, 5) == []


def named(agent: bytes, number: int, tag: str, text: str) -> MemoryFact:
    """A memory that a command stored, under an id that another agent may use as well: imports bring their own."""
    plain = plain_memory(bytes([number]) * 32, agent, "SEMANTIC", "COMMAND", 1_000)
    memory: Memory = {**plain, "content": text.encode(), "media_type": "text/plain", "tags": [tag]}
    cause = agent[:16] + bytes([number]) * 16
    return {"op": "UPSERT", "cause": cause, "memory_id": memory["id"], "owner": agent, "memory": memory, "block": None}


async def test_of_an_agent_granted_by_tags_the_rest_is_not_even_counted(world: World) -> None:
    async def found() -> list[tuple[str, float]]:
        answer = await pool(world).pool({ALICE, BOB}, {BOB: frozenset({"team"})}, Question(ALICE, "swapped eth", 10, -1.0))
        assert answer.unsearched == frozenset()
        return [(each.text, each.score) for each in answer.ranked]

    await world.remember(named(ALICE, 1, "own", "swapped eth of alice"), named(BOB, 2, "team", "swapped eth of bob"))
    before = await found()
    assert {text for text, _ in before} == {"swapped eth of alice", "swapped eth of bob"}
    await world.remember(*(named(BOB, 10 + i, "own", f"swapped eth {i}") for i in range(9)))
    assert await found() == before
    assert len(await ask(world, {BOB})) == 10, "the whole agent is another index"


async def test_one_id_in_two_agents_is_two_memories(world: World) -> None:
    await world.remember(named(ALICE, 1, "team", "swapped eth of alice"), named(BOB, 1, "own", "swapped eth of bob"))
    assert await ask(world, {ALICE, BOB}) == {"swapped eth of alice", "swapped eth of bob"}
    tags = {agent: frozenset({"team"}) for agent in (ALICE, BOB)}
    answer = await pool(world).pool({ALICE, BOB}, tags, Question(ALICE, "swapped eth", 10, -1.0))
    assert [each.text for each in answer.ranked] == ["swapped eth of alice"]


async def test_an_agent_without_an_index_is_searched_by_vectors_or_named(world: World) -> None:
    await filled(world)
    await world.remember(named(BOB, 1, "team", "swapped eth of the team"), named(BOB, 2, "own", "swapped eth of bob alone"))
    world.indexes._capacity = 1
    question = Question(ALICE, "swapped eth", 10, -1.0)
    answer = await Pooled(world.reads, world.indexes, world.vectors, None).pool({ALICE, BOB}, {}, question)
    assert (answer.ranked, answer.unsearched) == ([], {ALICE, BOB})
    tags = {BOB: frozenset({"team"})}
    answer = await pool(world).pool({ALICE, BOB}, tags, question)
    assert {each.text for each in answer.ranked} == {"swapped eth of alice", "swapped eth of the team"}
    assert answer.unsearched == frozenset()
    before = [(each.text, each.score) for each in answer.ranked]
    newer = named(BOB, 3, "own", "swapped eth much later")
    await world.remember({**newer, "memory": {**newer["memory"], "timestamp": 2_000}})  # type: ignore[typeddict-item]
    again = await pool(world).pool({ALICE, BOB}, tags, question)
    assert [(each.text, each.score) for each in again.ranked] == before, "what is hidden moved a score"
    few = await pool(world).pool({ALICE, BOB}, tags, Question(ALICE, "eth of the team", 1, 0.9))
    assert [each.text for each in few.ranked if each.similarity < 0.9] == []


async def test_more_agents_than_can_be_ranked_need_a_search(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooled, "ABREAST", 1)
    with pytest.raises(ValueError, match="no search"):
        await Pooled(world.reads, world.indexes, world.vectors, None).rank({ALICE, BOB}, Question(ALICE, "eth", 10, -1.0))


async def test_all_indexes_of_an_agent_are_dropped_with_it(world: World) -> None:
    await filled(world)
    await pool(world).pool({ALICE, BOB}, {BOB: frozenset({"swap"})}, Question(ALICE, "eth", 10, -1.0))
    await ask(world, {BOB})
    assert BOB in world.indexes
    world.indexes.drop(BOB)
    assert BOB not in world.indexes
    world.indexes.drop(ALICE)
    assert world.indexes.nbytes == 0
