"""What the gateway ranks by."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from schemas.defaults import plain_command, plain_edge
from schemas.records import MemoryFact
from streams.agents.memory_limits import wrong_command
from streams.core.block import BlockRef
from streams.core.moment import Moment
from streams.core.structured import JSON, NUMBERS
from streams.ports.stores import StoredMemory
from streams.retrieval.ranked import Question
from streams.serving.context.request import ContextRequest
from streams.serving.faults import BadRequestError
from streams.serving.wire import StoreRequest
from streams.serving.writes import storing
from tests.steps import step_undo
from tests.unit.serving.world import ALICE, BOB, World, upsert


async def texts(world: World, question: str, wanted: int = 5, **more: float) -> list[str]:
    asked = Question(ALICE, question, wanted, more.get("min_similarity", -1.0))
    return [found.text for found in await world.ranking.rank(asked)]


async def test_same_words_in_another_form_are_found_where_the_cosine_sees_nothing(world: World) -> None:
    ref = world.grow()
    await world.remember(
        upsert(ALICE, ref, 0, "Swimming in lakes"), upsert(ALICE, ref, 1, "voted on the treasury", timestamp=9_000)
    )
    found = await world.ranking.rank(Question(ALICE, "the lake where I swam", 5, -1.0))
    assert found[0].text == "Swimming in lakes"


async def test_near_duplicates_stand_last(world: World) -> None:
    ref = world.grow()
    said = ["swapped 1 ETH for DAI", "Swapped 1 ETH for DAI.", "swapped 2 ETH for DAI", "voted"]
    await world.remember(*(upsert(ALICE, ref, i, text, timestamp=9_000 * i) for i, text in enumerate(said)))
    found = await texts(world, "swapped 1 ETH for DAI")
    assert {found[0], found[-1]} == set(said[:2])


async def test_nothing_that_is_undone_has_a_part_in_any_score(world: World) -> None:
    base = world.blocks[-1]
    gone = world.grow()
    await world.remember(*(upsert(ALICE, gone, i, f"swapped eth {i}") for i in range(5)))
    await texts(world, "swapped eth")
    world.chain.view.apply(step_undo(2, [gone], base))
    world.blocks.pop()
    ref = world.grow(fork=1)
    facts = [upsert(ALICE, ref, 0, "swapped eth for dai"), upsert(ALICE, ref, 1, "voted")]
    await world.remember(*facts)
    asked = Question(ALICE, "swapped eth", 5, -1.0)
    after = [(found.text, found.score) for found in await world.ranking.rank(asked)]
    fresh = World()
    fresh.grow()
    fresh.chain.view.apply(step_undo(2, [fresh.blocks.pop()], base))
    fresh.grow(fork=1)
    await fresh.remember(*facts)
    assert [(found.text, found.score) for found in await fresh.ranking.rank(asked)] == after
    fresh.close()


async def test_a_memory_whose_vector_is_to_come_is_found_by_its_words(world: World) -> None:
    ref = world.grow()
    await world.memories.apply([upsert(ALICE, ref, 0, "swapped eth for dai")])
    assert await texts(world, "swapped eth", min_similarity=0.9) == ["swapped eth for dai"]
    assert await texts(world, "nothing alike", min_similarity=0.9) == []


async def test_what_words_or_a_neighbour_found_is_held_to_no_cosine(world: World) -> None:
    ref = world.grow()
    said = [("Swimming in lakes", 1_000), ("gas was dear", 1_060), ("voted for it", 10 * 86_400), ("rent paid", 11 * 86_400)]
    await world.remember(*(upsert(ALICE, ref, i, text, timestamp=at) for i, (text, at) in enumerate(said)))
    question = Question(ALICE, "the lake where I swam", 5, 0.9)
    found = [each.text for each in await world.ranking.rank(question)]
    assert found == ["Swimming in lakes", "gas was dear"]
    assert await world.ranking.rank(question.bounded(0.9)) == []
    assert await texts(world, "what did I do yesterday?", min_similarity=0.9) == ["voted for it"]


async def test_what_nothing_speaks_for_costs_no_look_at_the_store(world: World) -> None:
    ref = world.grow()
    said = ["swam in the lake", *(f"rent of flat {n} paid" for n in range(200))]
    await world.remember(*(upsert(ALICE, ref, i, text, timestamp=9_000 * i) for i, text in enumerate(said)))
    await texts(world, "lake")
    asked: list[int] = []
    get = world.memories.get

    async def counted(agent: bytes, ids: Sequence[bytes]) -> list[StoredMemory | None]:
        asked.append(len(ids))
        return await get(agent, ids)

    world.memories.get = counted  # type: ignore[method-assign]
    assert await texts(world, "who swims in lakes", 5, min_similarity=0.5) == [said[0]]
    assert asked == [1]


async def test_who_wants_more_gets_the_same_first_ones(world: World) -> None:
    ref = world.grow()
    said = [f"swapped {i % 40} eth {'for dai' * (i % 3)} in pool {i}" for i in range(150)]
    await world.remember(*(upsert(ALICE, ref, i, text, timestamp=9_000 * i) for i, text in enumerate(said)))
    most = await texts(world, "swapped 7 eth for dai", 1_000)
    assert len(most) == 150
    for wanted in (1, 10, 40, 100):
        assert (await texts(world, "swapped 7 eth for dai", wanted))[:wanted] == most[:wanted]


def linking(ref: BlockRef, index: int, one: MemoryFact, other: MemoryFact, strength: float) -> MemoryFact:
    """An amendment that links two memories."""
    fact = upsert(ALICE, ref, index, "")
    assert fact["memory"] is not None
    edge = {**plain_edge("LINK", other["memory_id"]), "source": one["memory_id"], "strength": strength}
    fact["memory"] = {**fact["memory"], "form": "LINK", "edges": [edge]}  # type: ignore[typeddict-item]
    return fact


async def test_strong_links_bring_in_what_belongs_to_the_answer_and_leave_with_their_block(world: World) -> None:
    ref = world.grow()
    said = ["swam in the lake", *(f"rent of flat {n} paid" for n in range(40))]
    facts = [upsert(ALICE, ref, i, text, timestamp=9_000 * i) for i, text in enumerate(said)]
    await world.remember(*facts)
    before = await texts(world, "who swims in lakes", 41)
    linked = world.grow()
    await world.memories.apply([linking(linked, 0, facts[0], facts[9], 0.9), linking(linked, 1, facts[0], facts[5], 0.7)])
    assert (await texts(world, "who swims in lakes", 41))[:2] == [said[0], said[9]]
    assert await texts(world, "who swims in lakes", 41, min_similarity=0.9) == [said[0], said[9]]
    world.chain.view.apply(step_undo(3, [linked], ref))
    assert await texts(world, "who swims in lakes", 41) == before
    assert before[1] != said[9]


async def test_only_admitted_ones_however_far_down(world: World) -> None:
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, i, f"swapped eth {i}") for i in range(120)))
    await world.remember(upsert(ALICE, ref, 120, "voted on treasury"))
    asked = Question(ALICE, "swapped eth", 3, -1.0, lambda memory: b"voted" in memory["content"])
    assert [found.text for found in await world.ranking.rank(asked)] == ["voted on treasury"]


async def test_never_another_agents(world: World) -> None:
    ref = world.grow()
    await world.remember(upsert(BOB, ref, 0, "swapped eth for dai"), upsert(ALICE, ref, 1, "voted"))
    assert await texts(world, "swapped eth") == ["voted"]
    answer = await world.finder.find(ContextRequest(BOB, "voted", 5, -1.0))
    assert [item.text for item in answer.items] == ["swapped eth for dai"]


async def test_where_there_is_no_room_vectors_answer(world: World) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth for dai"))
    world.indexes._capacity = 1
    assert await texts(world, "swapped eth") == ["swapped eth for dai"]
    assert world.index.limits != []


async def test_only_what_was_known_at_the_moment_asked_about(world: World) -> None:
    first, second = world.grow(), world.grow()
    await world.remember(upsert(ALICE, first, 0, "swapped eth for dai"), upsert(ALICE, second, 1, "swapped eth for usdc"))
    when = Moment(10_000, known_block=first.number)
    found = await world.ranking.rank(Question(ALICE, "swapped eth", 5, -1.0, when=when))
    assert [each.text for each in found] == ["swapped eth for dai"]


async def test_numbers_and_structures_are_found_beside_text(world: World) -> None:
    ref = world.grow()
    facts = [upsert(ALICE, ref, 0, '{"gas": 400000}'), upsert(ALICE, ref, 1, '{"pool": {"token": "WETH"}}')]
    for fact, kind in zip(facts, (NUMBERS, JSON), strict=True):
        assert fact["memory"] is not None
        fact["memory"]["media_type"] = kind
    await world.memories.apply([*facts, upsert(ALICE, ref, 2, "voted on treasury")])
    assert (await texts(world, "when was gas 390000?"))[0] == '{"gas": 400000}'
    assert (await texts(world, "which pool has the token WETH"))[0] == '{"pool": {"token": "WETH"}}'


async def test_malformed_structures_are_refused_at_the_door(world: World) -> None:
    for kind, text in ((NUMBERS, "[1, oh]"), (JSON, "{")):
        with pytest.raises(BadRequestError, match="JSON"):
            storing(ALICE, StoreRequest(text=text, media_type=kind))
        command = {**plain_command(b"c" * 16, ALICE, "STORE", 1), "type": "LONG_TERM", "content": text.encode()}
        assert "JSON" in wrong_command({**command, "media_type": kind})  # type: ignore[typeddict-item]
