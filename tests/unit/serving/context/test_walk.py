"""Windows without a question, walked back through history while the chain and the stores move on."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from streams.serving.context import walk
from streams.serving.context.request import ContextRequest, Only
from streams.serving.context.window import Actions, Priority, Semantic, Temporal, Window
from streams.serving.faults import BadRequestError
from streams.serving.wire import Context
from streams.settings import RagSettings
from tests.steps import step_undo
from tests.unit.serving.world import ALICE, BOB, World, upsert


async def walked(world: World, request: ContextRequest, limit: int = 50) -> list[Context]:
    answers = [await world.finder.find(request)]
    while answers[-1].next is not None and len(answers) < limit:
        answers.append(await world.finder.find(replace(request, cursor=answers[-1].next)))
    assert len(answers) < limit
    return answers


def texts(answers: list[Context]) -> list[str]:
    return [item.text for answer in answers for item in answer.items]


async def test_a_walk_meets_every_memory_once_newest_window_first(world: World) -> None:
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, n, f"memory {n}", timestamp=n // 3) for n in range(20)))
    await world.remember(upsert(BOB, ref, 0, "not hers"))
    answers = await walked(world, ContextRequest(ALICE, window=Temporal(2)))
    assert sorted(texts(answers)) == sorted(f"memory {n}" for n in range(20))
    assert [len({item.timestamp for item in answer.items}) for answer in answers] == [3, 3, 1]
    assert answers[0].items[0].similarity is None
    assert answers[0].query is None


async def test_the_newest_memories_without_any_window(world: World) -> None:
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, n, f"memory {n}", timestamp=n) for n in range(60)))
    first, second = await walked(world, ContextRequest(ALICE))
    assert (len(first.items), len(second.items)) == (50, 10)
    assert first.items[0].text == "memory 59"


async def test_new_blocks_and_reorgs_during_a_walk_cause_no_gap_and_no_repeat(world: World) -> None:
    base = world.blocks[-1]
    old = world.grow()
    await world.remember(*(upsert(ALICE, old, n, f"old {n}", timestamp=10 + n) for n in range(6)))
    gone = world.grow()
    await world.remember(*(upsert(ALICE, gone, n, f"gone {n}", timestamp=20 + n) for n in range(4)))
    request = ContextRequest(ALICE, window=Priority(0.0, size=3))
    first = await world.finder.find(request)
    assert texts([first]) == ["gone 3", "gone 2", "gone 1"]
    assert world.chain.view.sequence is not None
    world.chain.view.apply(step_undo(world.chain.view.sequence + 1, [gone], old))
    world.blocks.pop()
    new = world.grow(fork=1)
    await world.remember(*(upsert(ALICE, new, n, f"new {n}", timestamp=30 + n) for n in range(4)))
    rest = await walked(world, replace(request, cursor=first.next))
    assert texts(rest) == ["old 5", "old 4", "old 3", "old 2", "old 1", "old 0"]
    assert base.number == 0


async def test_a_budget_ends_a_window_early_and_the_next_goes_on_there() -> None:
    world = World(RagSettings(max_context_tokens=7))
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, n, f"three words {n}", timestamp=n) for n in range(5)))
    await world.remember(upsert(ALICE, ref, 9, "a memory of so many words that none fits", timestamp=2))
    answers = await walked(world, ContextRequest(ALICE, window=Temporal(100)))
    assert sorted(texts(answers)) == [f"three words {n}" for n in range(5)]
    assert all(answer.tokens <= answer.tokens_allowed == 7 for answer in answers)
    assert sum(answer.left_out for answer in answers) == 1, "what never fits is passed over once, and said"
    cut = await walked(world, ContextRequest(ALICE, window=Temporal(100), truncate=True))
    shortened = [item for answer in cut for item in answer.items if item.truncated]
    assert [item.text for item in shortened] == ["a memory of so many words that"]
    assert sum(answer.left_out for answer in cut) == 0
    world.close()


async def test_what_is_no_text_is_counted(world: World) -> None:
    ref = world.grow()
    fact = upsert(ALICE, ref, 0, "x")
    assert fact["memory"] is not None
    fact["memory"]["media_type"] = "application/octet-stream"
    await world.memories.apply([fact])
    answer = await world.finder.find(ContextRequest(ALICE, window=Temporal(1)))
    assert (answer.items, answer.omitted.not_text) == ([], 1)


async def test_windows_order_and_filter(world: World) -> None:
    ref = world.grow()
    facts = [upsert(ALICE, ref, n, f"memory {n}", timestamp=n, importance=n / 10) for n in range(6)]
    for n, fact in enumerate(facts):
        assert fact["memory"] is not None
        fact["memory"]["tags"] = ["even"] if n % 2 == 0 else ["odd", "rare"]
    await world.remember(*facts)

    async def got(window: Window, **more: object) -> list[str]:
        answer = await world.finder.find(ContextRequest(ALICE, window=window, **more))  # type: ignore[arg-type]
        return [item.text.removeprefix("memory ") for item in answer.items]

    assert await got(Priority(0.3)) == ["5", "4", "3"]
    assert await got(Priority(0.3), order="time") == ["3", "4", "5"]
    assert await got(Priority(0.2), order="edges") == ["5", "3", "2", "4"]
    assert await got(Semantic(("even", "odd", "rare"))) == ["5", "3", "1", "4", "2", "0"]
    assert await got(Actions(2)) == ["5", "4"]
    assert await got(Semantic(("odd",)), only=Only(min_importance=0.3)) == ["5", "3"]
    assert await got(Semantic(("odd",)), only=Only(tags=("rare",), until=3)) == ["3", "1"]
    assert await got(Temporal(1), only=Only(types=("SEMANTIC",))) == []


async def test_a_question_is_answered_from_the_window_alone(world: World) -> None:
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, n, f"swapped eth {n}", timestamp=10 * n, importance=n / 10) for n in range(6)))

    async def got(window: Window | None, only: Only | None = None) -> set[str]:
        request = ContextRequest(ALICE, "swapped eth", window=window, only=only or Only())
        return {item.text[-1] for item in (await world.finder.find(request)).items}

    assert await got(None) == set("012345")
    assert await got(Temporal(20)) == set("345")
    assert await got(Actions(2)) == set("45")
    assert await got(Priority(0.4)) == set("45")
    assert await got(Semantic(("swap",))) == set("012345")
    assert await got(Semantic(("none",))) == set()
    assert await got(Temporal(20), Only(until=40)) == set("234")


async def test_looks_at_a_bounded_number_of_memories_and_can_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "EXAMINED", 4)
    ref = world.grow()
    facts = [upsert(ALICE, ref, n, f"memory {n}", timestamp=n) for n in range(11)]
    assert facts[0]["memory"] is not None
    facts[0]["memory"]["transaction"] = None
    await world.remember(*facts)
    monkeypatch.setattr(walk, "PAGE", 2)
    answers = await walked(world, ContextRequest(ALICE, window=Actions(1_000)))
    assert [len(answer.items) for answer in answers] == [4, 4, 2]


async def test_a_cursor_of_another_agent_is_refused(world: World) -> None:
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, n, f"memory {n}", timestamp=n) for n in range(3)))
    answer = await world.finder.find(ContextRequest(ALICE, window=Temporal(1)))
    assert answer.next is not None
    with pytest.raises(BadRequestError, match="another agent"):
        await world.finder.find(ContextRequest(BOB, window=Temporal(1), cursor=answer.next))


windows = st.sampled_from([Temporal(1, 2), Temporal(5, 3), Actions(2, 3), Priority(0.5, 2), Semantic(("swap",), 2)])
moves = st.lists(st.tuples(st.sampled_from(["store", "fork"]), st.integers(0, 9)), max_size=6)


@given(windows, st.lists(st.integers(0, 9), max_size=10), moves)
@settings(max_examples=40, deadline=None)
def test_a_memory_that_lives_through_a_walk_is_met_once(window: Window, times: list[int], happening: list) -> None:
    async def run() -> None:
        world = World()
        ref = world.grow()
        for n, timestamp in enumerate(times):
            await world.remember(upsert(ALICE, ref, n, f"stays {n}", timestamp=timestamp, importance=0.5))
        tip = world.grow()
        await world.remember(upsert(ALICE, tip, 0, "of the tip", timestamp=5))
        request, events, seen = ContextRequest(ALICE, window=window), list(happening), []
        for turn in range(40):
            answer = await world.finder.find(request)
            seen += [item.text for item in answer.items]
            if answer.next is None:
                break
            request = replace(request, cursor=answer.next)
            if events:
                kind, when = events.pop()
                if kind == "store":
                    await world.remember(upsert(ALICE, ref, 100 + turn, f"comes {turn}", timestamp=when))
                elif kind == "fork" and world.blocks[-1].number > 1:
                    assert world.chain.view.sequence is not None
                    world.chain.view.apply(step_undo(world.chain.view.sequence + 1, [world.blocks.pop()], world.blocks[-1]))
        else:
            raise AssertionError("the walk has no end")
        assert len(seen) == len(set(seen))
        assert {text for text in seen if text.startswith("stays")} == {f"stays {n}" for n in range(len(times))}
        world.close()

    asyncio.run(run())
