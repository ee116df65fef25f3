"""Context for a question: what may be in it, in which order, within which budget."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import Memory
from streams.core.block import BlockRef
from streams.ports.stores import MemoryFilter
from streams.serving.context import assembly
from streams.serving.context.finder import ContextFinder
from streams.serving.context.request import ContextRequest
from streams.serving.faults import UnavailableError
from streams.settings import RagSettings
from tests.steps import block, step_new, step_undo
from tests.unit.serving.world import ALICE, BOB, World, upsert


async def ask(world: World, text: str, results: int = 5, *, min_similarity: float | None = None) -> list[str]:
    answer = await world.finder.find(ContextRequest(ALICE, text, results, min_similarity))
    return [item.text for item in answer.items]


async def test_nearest_first_with_citations(world: World) -> None:
    ref = world.grow()
    facts = [
        upsert(ALICE, ref, i, text) for i, text in enumerate(["swapped eth for dai", "swapped it back", "voted on treasury"])
    ]
    await world.remember(*facts)
    answer = await world.finder.find(ContextRequest(ALICE, "swapped eth", 2))
    assert [item.text for item in answer.items] == ["swapped eth for dai", "swapped it back"]
    first = answer.items[0]
    assert first.citation.block is not None
    assert first.citation.block.hash == "0x" + ref.hash.hex()
    assert first.citation.transaction_index == 0
    assert first.citation.memory_id == "0x" + facts[0]["memory_id"].hex()
    assert first.tokens == 4
    assert answer.tokens == 7
    assert answer.as_of.sequence == world.chain.view.sequence


async def test_rows_of_a_block_undone_in_the_log_never_appear(world: World) -> None:
    base, ref = world.blocks[-1], world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth for dai"))
    assert await ask(world, "swapped eth") == ["swapped eth for dai"]
    world.chain.pending.append(step_undo(2, [ref], base))  # in the log; the stores have not rewound
    assert await ask(world, "swapped eth") == []
    assert len(world.memories.rows) == 1


async def test_undo_that_arrives_while_the_answer_is_made(world: World) -> None:
    base, ref = world.blocks[-1], world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth for dai"))
    count = world.embedder.count_tokens

    def slow(text: str) -> int:
        world.chain.view.apply(step_undo(2, [ref], base))
        return count(text)

    world.embedder.count_tokens = slow  # type: ignore[method-assign]
    assert await ask(world, "swapped eth") == []


async def test_a_branch_that_takes_over_while_the_answer_is_made_is_answered_whole(world: World) -> None:
    base, ref = world.blocks[-1], world.grow()
    other = block(1, 7, base.hash)
    await world.remember(upsert(ALICE, ref, 0, "swapped eth for dai"), upsert(ALICE, other, 0, "swapped eth for usdc"))
    count, steps = world.embedder.count_tokens, [step_undo(2, [ref], base), step_new(3, other)]

    def slow(text: str) -> int:
        while steps:
            world.chain.view.apply(steps.pop(0))
        return count(text)

    world.embedder.count_tokens = slow  # type: ignore[method-assign]
    assert await ask(world, "swapped eth") == ["swapped eth for usdc"]


async def test_a_branch_that_takes_over_while_the_store_is_asked_is_listed_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, ref = world.blocks[-1], world.grow()
    other = block(1, 7, base.hash)
    await world.remember(upsert(ALICE, ref, 0, "swapped eth for dai"), upsert(ALICE, other, 0, "swapped eth for usdc"))
    query, steps = world.memories.query, [step_undo(2, [ref], base), step_new(3, other)]

    async def slow(*asked: Any) -> list[Memory]:
        found = await query(*asked)
        while steps:
            world.chain.view.apply(steps.pop(0))
        return found

    monkeypatch.setattr(world.memories, "query", slow)
    found = await world.reads.list(ALICE, MemoryFilter(limit=5))
    assert [shown.memory["content"] for shown in found] == [b"swapped eth for usdc"]


async def test_row_of_a_block_the_view_has_not_seen_is_left_out(world: World) -> None:
    ahead = block(1, 0, world.blocks[-1].hash)
    await world.remember(upsert(ALICE, ahead, 0, "swapped eth for dai"))
    assert await ask(world, "swapped eth") == []
    world.chain.pending.append(step_new(1, ahead))
    assert await ask(world, "swapped eth") == ["swapped eth for dai"]


async def test_never_another_agents_memory_even_if_the_index_leaks(world: World) -> None:
    ref = world.grow()
    await world.remember(upsert(BOB, ref, 0, "swapped eth for dai"), upsert(ALICE, ref, 1, "swapped eth quietly"))
    world.index.leaks = True
    assert await ask(world, "swapped eth") == ["swapped eth quietly"]


async def test_asks_for_more_when_many_hits_are_not_live(world: World) -> None:
    world.finder = ContextFinder(world.reads, world.nearest, world.vectors, RagSettings())
    base = world.blocks[-1]
    gone: BlockRef = world.grow()
    await world.remember(*(upsert(ALICE, gone, i, "swapped eth") for i in range(200)))
    world.chain.view.apply(step_undo(2, [gone], base))
    world.blocks.pop()
    ref = world.grow(fork=1)
    await world.remember(upsert(ALICE, ref, 0, "swapped eth for good"))
    assert await ask(world, "swapped eth", 1) == ["swapped eth for good"]
    assert len(world.index.limits) > 1
    assert max(world.index.limits) < 10_000


def counting(world: World) -> list[str]:
    """The texts whose tokens are counted from now on."""
    counted: list[str] = []
    count = world.embedder.count_tokens

    def watched(text: str) -> int:
        counted.append(text)
        return count(text)

    world.embedder.count_tokens = watched  # type: ignore[method-assign]
    return counted


async def test_nothing_is_counted_behind_a_budget_that_is_spent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "AT_ONCE", 1)
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, n, f"swapped eth {n}", timestamp=n) for n in range(10)))
    counted = counting(world)
    answer = await world.finder.find(ContextRequest(ALICE, "swapped eth", 10, max_tokens=6))
    assert len(counted) == 2
    assert (len(answer.items), answer.tokens, answer.left_out) == (2, 6, 8)
    counted.clear()
    answer = await world.finder.find(ContextRequest(ALICE, max_tokens=4))
    assert len(counted) <= 2, "of a walk up to the first that does not fit"
    assert [item.text for item in answer.items] == ["swapped eth 9"]
    assert answer.next is not None
    answer = await world.finder.find(ContextRequest(ALICE, max_tokens=4, cursor=answer.next))
    assert [item.text for item in answer.items] == ["swapped eth 8"]


@pytest.mark.parametrize("render", [None, "plain"])
async def test_long_memories_that_do_not_fit_do_not_keep_the_model_from_others(
    world: World, monkeypatch: pytest.MonkeyPatch, render: Any
) -> None:
    monkeypatch.setattr(assembly, "AT_ONCE", 10_000)
    monkeypatch.setattr(assembly, "PASSED_OVER", 60_000)
    world.finder = ContextFinder(world.reads, world.nearest, world.vectors, RagSettings())
    ref = world.grow()
    await world.remember(
        upsert(ALICE, ref, 0, "swapped eth"), *(upsert(ALICE, ref, n, f"{n} swapped eth " * 400) for n in range(1, 40))
    )
    counted, run, jobs = counting(world), world.vectors._run, list[int]()

    async def watched(work: Any) -> Any:
        before = sum(map(len, counted))
        done = await run(work)
        jobs.append(sum(map(len, counted)) - before)
        return done

    monkeypatch.setattr(world.vectors, "_run", watched)
    answer = await world.finder.find(ContextRequest(ALICE, "swapped eth", 40, max_tokens=20, render=render))
    assert [item.text for item in answer.items] == ["swapped eth"]
    assert answer.left_out == 39
    assert max(jobs) < 20_000 and sum(jobs) < 80_000


async def test_threshold(world: World) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "one two three four"), upsert(ALICE, ref, 1, "one"))
    assert await ask(world, "one", min_similarity=0.9) == ["one"]
    assert await ask(world, "one", min_similarity=-1.0) == ["one", "one two three four"]
    assert await ask(world, "nothing alike") == []


async def test_stays_within_the_token_budget() -> None:
    world = World(RagSettings(max_context_tokens=6))
    ref = world.grow()
    texts = ["eth swap", "eth swap with a much longer tail here", "eth swap again"]
    await world.remember(*(upsert(ALICE, ref, i, text) for i, text in enumerate(texts)))
    answer = await world.finder.find(ContextRequest(ALICE, "eth swap", 5))
    assert [item.text for item in answer.items] == ["eth swap", "eth swap again"]
    assert (answer.tokens, answer.left_out) == (5, 1)
    tighter = await world.finder.find(ContextRequest(ALICE, "eth swap", 5, max_tokens=2))
    assert tighter.tokens == 2
    wider = await world.finder.find(ContextRequest(ALICE, "eth swap", 5, max_tokens=1_000))
    assert wider.tokens == 5
    world.close()


async def test_same_query_is_embedded_once(world: World) -> None:
    await ask(world, "what was it")
    before = world.embedder.calls
    await ask(world, "what was it")
    assert world.embedder.calls == before


async def test_too_many_waiting_queries_are_refused(world: World) -> None:
    world.vectors._queued = world.vectors._waiting
    with pytest.raises(UnavailableError, match="wait for the embedding model"):
        await ask(world, "one more")
