"""Equal questions at once: computed once, each answered as if it had been asked alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from streams.errors import StoreError
from streams.serving.cache.finder import TURNS, Answered, CachedFinder
from streams.serving.cache.flights import Flights
from streams.serving.context.request import ContextRequest
from streams.serving.wire import Context
from tests.unit.serving.world import ALICE, BOB, World, upsert

ASKED = ContextRequest(ALICE, "swapped eth")


class Slow:
    """A finder on another one, that answers when it is let, or does what it is told."""

    def __init__(self, world: World) -> None:
        self._world, self.calls, self.waiting = world, 0, 0
        self.let = asyncio.Semaphore(0)
        self.fails = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def find(self, request: ContextRequest) -> Context:
        self.calls += 1
        found = await self._world.finder.find(request)
        self.waiting += 1
        try:
            await self.let.acquire()
        finally:
            self.waiting -= 1
        self.meanwhile()
        if self.fails:
            self.fails -= 1
            raise StoreError("the store is closed", "Open it.")
        return found


@pytest.fixture
async def slow(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slow]:
    await world.remember(upsert(ALICE, world.grow(), 0, "swapped eth for dai"))
    made = Slow(world)
    monkeypatch.setattr(world.cached, "_finder", made)
    yield made
    assert len(world.cached._flights) == 0, "nothing is left behind"


def texts(answered: Answered) -> list[str]:
    return [item.text for item in Context.model_validate_json(answered.body).items]


async def until(holds: Callable[[], bool]) -> None:
    """Others may go on until it holds; a model in a thread takes the time it takes."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.001)
    for _ in range(20):
        await asyncio.sleep(0)


async def asking(slow: Slow, finder: CachedFinder, count: int) -> list[asyncio.Task[Answered]]:
    """``count`` askers who have come as far as they can: one computes, unless one did, and the rest wait."""
    tasks = [asyncio.create_task(finder.answer(ASKED)) for _ in range(count)]
    await until(lambda: slow.waiting == 1)
    return tasks


async def test_equal_questions_at_once_are_computed_once(world: World, slow: Slow) -> None:
    tasks = await asking(slow, world.cached, 50)
    assert slow.calls == 1
    slow.let.release()
    answers = await asyncio.gather(*tasks)
    assert slow.calls == 1
    assert [answered.cached for answered in answers].count(False) == 1
    assert {answered.body for answered in answers} == {answers[0].body}
    assert texts(answers[0]) == ["swapped eth for dai"]


async def test_other_questions_and_other_agents_do_not_wait(world: World, slow: Slow) -> None:
    one = await asking(slow, world.cached, 1)
    others = [ContextRequest(ALICE, "voted"), ContextRequest(BOB, "swapped eth")]
    tasks = [asyncio.create_task(world.cached.answer(other)) for other in others]
    await until(lambda: slow.waiting == 3)
    for _ in range(3):
        slow.let.release()
    answers = await asyncio.gather(*one, *tasks)
    assert texts(answers[0]) and not texts(answers[2]), "nothing of another agent"


async def test_a_leader_who_is_cancelled_costs_the_others_nothing_but_time(world: World, slow: Slow) -> None:
    leader, *followers = await asking(slow, world.cached, 10)
    leader.cancel()
    await until(lambda: leader.done() and slow.waiting == 1)
    assert slow.calls == 2, "one of them leads now, not all"
    slow.let.release()
    answers = await asyncio.gather(*followers)
    assert slow.calls == 2 and all(texts(each) == ["swapped eth for dai"] for each in answers)
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_a_follower_who_is_cancelled_disturbs_nobody(world: World, slow: Slow) -> None:
    leader, gone, other = await asking(slow, world.cached, 3)
    gone.cancel()
    await asyncio.sleep(0)
    slow.let.release()
    assert texts(await leader) == texts(await other) == ["swapped eth for dai"]
    assert gone.cancelled() and slow.calls == 1


async def test_a_leader_who_fails_fails_alone(world: World, slow: Slow) -> None:
    slow.fails = 1
    leader, *followers = await asking(slow, world.cached, 5)
    slow.let.release()
    with pytest.raises(StoreError):
        await leader
    slow.let.release()
    assert all(texts(each) == ["swapped eth for dai"] for each in await asyncio.gather(*followers))
    assert slow.calls == 2


async def test_who_asks_after_a_write_is_not_answered_from_before_it(world: World, slow: Slow) -> None:
    (leader,) = await asking(slow, world.cached, 1)
    await world.remember(upsert(ALICE, world.grow(), 0, "swapped eth for usdc"))
    (late,) = await asking(slow, world.cached, 1)
    assert slow.calls == 1, "it waits for the one under way"
    slow.let.release()
    slow.let.release()
    assert texts(await leader) == ["swapped eth for dai"]
    assert sorted(texts(await late)) == ["swapped eth for dai", "swapped eth for usdc"], "and then asks anew"
    assert slow.calls == 2


async def test_where_all_moves_all_the_time_nobody_waits_for_ever(world: World, slow: Slow) -> None:
    """Each answer is out of date when it comes, so none can be handed on."""
    slow.meanwhile = lambda: world.memories.versions.note(ALICE, bytes(32), there=True)
    askers = 12
    tasks = await asking(slow, world.cached, askers)
    for turn in range(TURNS):
        assert slow.calls == turn + 1
        slow.let.release()
        await until(lambda turn=turn: slow.calls > turn + 1 and slow.waiting == slow.calls - turn - 1)
    assert slow.calls == askers, "after a few turns all compute beside each other"
    for _ in range(askers):
        slow.let.release()
    assert all(texts(each) == ["swapped eth for dai"] for each in await asyncio.gather(*tasks))


async def test_flights_are_there_while_they_are_led() -> None:
    flights = Flights()
    with pytest.raises(StoreError), flights.led("a"):
        assert "a" in flights and "b" not in flights
        with flights.led("a"):
            assert len(flights) == 1
        assert "a" in flights, "who computes beside a leader does not end its flight"
        raise StoreError("x")
    assert "a" not in flights
