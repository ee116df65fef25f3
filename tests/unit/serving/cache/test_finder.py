"""When a kept answer is served and when it must not be, case by case, through the gateway's own route."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY as DEFAULT_REGISTRY

from streams.core.block import BlockRef
from streams.metrics import REGISTRY
from streams.ports.stores import VectorRow, Version
from streams.serving.addresses import to_hex
from streams.serving.cache.finder import CachedFinder
from streams.serving.cache.freshness import Freshness
from streams.serving.cache.levels import Event, Limits
from streams.serving.context.request import ContextRequest
from streams.serving.graph.ranking import asks_graph
from tests.identity import bearer
from tests.steps import block, step_final, step_new, step_undo
from tests.unit.serving.world import ALICE, BOB, World, client, upsert


async def ask(http: httpx.AsyncClient, agent: bytes = ALICE, query: str = "swapped eth") -> tuple[list[str], str]:
    """The texts, and whether they were kept."""
    answer = await http.post(f"/v1/agents/{to_hex(agent)}/query", json={"query": query})
    assert answer.status_code == 200, answer.text
    return [item["text"] for item in answer.json()["items"]], answer.headers["x-monmouth-cache"]


def step(world: World) -> int:
    assert world.chain.view.sequence is not None
    return world.chain.view.sequence + 1


def undo(world: World, removed: list[BlockRef], ancestor: BlockRef) -> None:
    world.chain.view.apply(step_undo(step(world), removed, ancestor))


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or DEFAULT_REGISTRY.get_sample_value(name, labels) or 0.0


async def test_the_second_answer_is_the_first_one_and_costs_no_search(world: World, http: httpx.AsyncClient) -> None:
    await world.remember(upsert(ALICE, world.grow(), 0, "swapped eth for dai"))
    path, body = f"/v1/agents/{to_hex(ALICE)}/query", {"query": "swapped eth", "max_results": 3}
    queries, hits = value("monmouth_rag_queries_total"), value("monmouth_cache_events_total", event="l2_hit")
    first = await http.post(path, json=body)
    searches, embeddings = len(world.index.limits), world.embedder.calls
    second = await http.post(path, json=body)
    assert first.content == second.content and first.json()["items"]
    assert (first.headers["x-monmouth-cache"], second.headers["x-monmouth-cache"]) == ("miss", "hit")
    assert (len(world.index.limits), world.embedder.calls) == (searches, embeddings)
    assert value("monmouth_rag_queries_total") == queries + 2
    assert value("monmouth_cache_events_total", event="l2_hit") == hits + 1
    assert (await ask(http, query="swapped dai"))[1] == "miss"
    assert (await world.cached.find(ContextRequest(ALICE, "swapped eth", 3))).items[0].text == "swapped eth for dai"


async def test_a_block_that_does_not_touch_the_agent_evicts_nothing_and_moves_the_point(
    world: World, http: httpx.AsyncClient
) -> None:
    await world.remember(upsert(ALICE, world.grow(), 0, "swapped eth for dai"))
    await ask(http)
    for _ in range(200):  # far enough that the agent's block falls below the floor
        ref = world.grow()
        world.chain.view.apply(step_final(step(world), ref, ref))
    await world.remember(upsert(BOB, world.grow(), 0, "swapped eth for dai"))
    answer = await http.post(f"/v1/agents/{to_hex(ALICE)}/query", json={"query": "swapped eth"})
    assert answer.headers["x-monmouth-cache"] == "hit"
    assert answer.json()["as_of"]["sequence"] == world.chain.view.sequence
    assert answer.json()["as_of"]["head"]["hash"] == to_hex(world.blocks[-1].hash)


async def test_every_change_of_the_agent_s_rows_or_vectors_is_seen_at_once(world: World, http: httpx.AsyncClient) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth"))
    assert await ask(http) == (["swapped eth"], "miss")
    late = upsert(ALICE, ref, 1, "swapped eth again")
    await world.memories.apply([late])
    assert await ask(http) == (["swapped eth", "swapped eth again"], "miss")  # by its words, before it has a vector
    await world.index.upsert([VectorRow(ALICE, late["memory_id"], world.embedder.embed(["swapped eth again"])[0])])
    assert await ask(http) == (["swapped eth", "swapped eth again"], "miss")
    assert await ask(http) == (["swapped eth", "swapped eth again"], "hit")
    await world.memories.apply([{**late, "op": "DELETE", "memory": None, "cause": bytes(32), "block": None}])
    assert await ask(http) == (["swapped eth"], "miss")


async def test_no_answer_crosses_agents(world: World, http: httpx.AsyncClient) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth of alice"), upsert(BOB, ref, 0, "swapped eth of bob"))
    for _ in range(2):
        assert (await ask(http, ALICE))[0] == ["swapped eth of alice"]
        assert (await ask(http, BOB))[0] == ["swapped eth of bob"]


async def test_an_undo_of_the_agent_s_block_takes_the_answer_back_before_the_stores_do(
    world: World, http: httpx.AsyncClient
) -> None:
    base, ref = world.blocks[-1], world.grow()
    fact = upsert(ALICE, ref, 0, "swapped eth")
    await world.remember(fact)
    assert await ask(http) == (["swapped eth"], "miss")
    assert await ask(http) == (["swapped eth"], "hit")
    world.chain.pending.append(step_undo(step(world), [ref], base))  # in the log, not in the view before the barrier
    assert await ask(http) == ([], "miss")
    assert await ask(http) == ([], "hit")  # the same step of the view
    world.chain.view.apply(step_new(step(world), ref))  # the block comes back before the stores noticed that it was gone
    assert await ask(http) == (["swapped eth"], "miss")
    assert await ask(http) == (["swapped eth"], "hit")


async def test_an_undo_above_the_agent_s_last_row_evicts_nothing(world: World, http: httpx.AsyncClient) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth"))
    await ask(http)
    for fork in range(1, 6):
        removed = block(ref.number + 1, fork, ref.hash)
        world.chain.view.apply(step_new(step(world), removed))
        undo(world, [removed], ref)
        assert await ask(http) == (["swapped eth"], "hit")
    undo(world, [ref], world.blocks[-2])
    assert await ask(http) == ([], "miss")


async def test_more_undos_than_the_view_remembers_evict(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.core.canonical.LOWS_KEPT", 2)
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth"))
    await ask(http)
    for _ in range(3):
        tip = world.grow()
        removed = block(tip.number + 1, 1, tip.hash)
        world.chain.view.apply(step_new(step(world), removed))
        undo(world, [removed], tip)
    assert await ask(http) == (["swapped eth"], "miss")


async def test_a_store_ahead_of_the_view_leaves_no_answer_for_later(world: World, http: httpx.AsyncClient) -> None:
    unseen = block(world.blocks[-1].number + 1, 0, world.blocks[-1].hash)
    await world.remember(upsert(ALICE, unseen, 0, "swapped eth"))
    assert await ask(http) == ([], "miss")
    assert await ask(http) == ([], "hit")  # nothing moved: still the answer
    world.chain.view.apply(step_new(step(world), unseen))  # no version changes with this
    assert await ask(http) == (["swapped eth"], "miss")


async def test_a_row_of_a_block_that_never_came_keeps_answers_unsettled(world: World, http: httpx.AsyncClient) -> None:
    await world.remember(upsert(ALICE, block(world.blocks[-1].number + 1, 7, world.blocks[-1].hash), 0, "swapped eth"))
    await ask(http)
    world.grow()
    assert await ask(http) == ([], "miss")


async def test_an_undo_below_what_was_thought_final_evicts(world: World, http: httpx.AsyncClient) -> None:
    base, ref = world.blocks[-1], world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth"))
    for _ in range(200):
        tip = world.grow()
        world.chain.view.apply(step_final(step(world), tip, tip))
    assert world.chain.view.floor is not None and world.chain.view.floor > ref.number
    assert await ask(http) == (["swapped eth"], "miss")
    assert await ask(http) == (["swapped eth"], "hit")
    undo(world, world.blocks[:0:-1], base)
    assert await ask(http) == ([], "miss")
    assert await ask(http) == ([], "hit")
    world.chain.view.apply(step_new(step(world), ref))
    assert await ask(http) == (["swapped eth"], "miss")


async def test_an_answer_holds_until_something_in_it_starts_or_ends_to_be_true(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [5_000]
    monkeypatch.setattr("streams.serving.moments.time.time", lambda: clock[0])
    fact = upsert(ALICE, world.grow(), 0, "swapped eth")
    assert fact["memory"] is not None
    fact["memory"]["valid_from"], fact["memory"]["valid_to"] = 6_000, 7_000
    await world.remember(fact)
    seen = []
    for clock[0] in (5_000, 5_999, 6_000, 6_999, 7_000, 9_000, 5_500):
        texts, kept = await ask(http)
        seen.append((len(texts), kept))
    assert seen == [(0, "miss"), (0, "hit"), (1, "miss"), (1, "hit"), (0, "miss"), (0, "hit"), (0, "miss")]


async def test_a_question_that_asks_the_graph_is_not_kept(world: World) -> None:
    freshness = Freshness(world.chain, world.memories, [world.index])
    finder = CachedFinder(
        world.finder, world.reads, freshness, Limits(1 << 20, 4, 300), elsewhere=lambda request: asks_graph(request.query)
    )
    before = value("monmouth_cache_unkept_total", reason="elsewhere")
    for query, cached in ((f"paid {to_hex(BOB)}", False), ("paid bob", True), (None, True)):
        answers = [await finder.answer(ContextRequest(ALICE, query)) for _ in range(2)]
        assert (answers[1].cached, answers[0].body == answers[1].body) == (cached, True)
    assert value("monmouth_cache_unkept_total", reason="elsewhere") == before + 2


async def test_what_moves_while_the_answer_is_computed_keeps_it_from_being_kept(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = world.grow()
    first, other = upsert(ALICE, ref, 0, "swapped eth"), upsert(ALICE, ref, 1, "swapped eth too")
    await world.remember(first)
    candidates = world.reads.candidates
    vector = VectorRow(ALICE, bytes(32), world.embedder.embed(["of no row"])[0])
    moves: list[Any] = [
        lambda: world.remember(other),
        lambda: world.memories.revert([other]),
        lambda: world.index.upsert([vector]),
        None,
    ]

    async def restless(*asked: Any) -> Any:
        found = await candidates(*asked)
        if moves and (move := moves.pop(0)) is not None:
            await move()
        return found

    monkeypatch.setattr(world.reads, "candidates", restless)
    before = value("monmouth_cache_unkept_total", reason="moved")
    assert (await ask(http))[1] == "miss"  # a row came
    assert (await ask(http))[1] == "miss"  # a row went
    assert (await ask(http))[1] == "miss"  # a vector came
    assert value("monmouth_cache_unkept_total", reason="moved") == before + 3
    assert await ask(http) == (["swapped eth"], "miss")
    assert await ask(http) == (["swapped eth"], "hit")


async def test_an_agent_filled_and_emptied_meanwhile_is_not_taken_for_one_that_stood_still(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent has no row before and after, and had one when it was looked at."""
    fact = upsert(ALICE, world.grow(), 0, "swapped eth")
    find = world.finder.find

    async def meanwhile(request: ContextRequest) -> Any:
        await world.remember(fact)
        found = await find(request)
        await world.memories.revert([fact])
        await world.index.delete([(ALICE, fact["memory_id"])])
        return found

    monkeypatch.setattr(world.finder, "find", meanwhile)
    assert await ask(http) == (["swapped eth"], "miss")
    monkeypatch.setattr(world.finder, "find", find)
    assert await ask(http) == ([], "miss")


async def test_purging_an_agent_takes_its_answers_also_one_under_way(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth"), upsert(BOB, ref, 0, "swapped eth"))
    await ask(http)
    await ask(http, BOB)
    assert world.cached.purge(ALICE) == 1
    assert (await ask(http, BOB))[1] == "hit"
    candidates = world.reads.candidates

    async def purging(*asked: Any) -> Any:
        world.cached.purge(ALICE)
        return await candidates(*asked)

    monkeypatch.setattr(world.reads, "candidates", purging)
    assert (await ask(http))[1] == "miss"
    monkeypatch.setattr(world.reads, "candidates", candidates)
    assert (await ask(http))[1] == "miss"  # the one before was not kept
    assert (await ask(http))[1] == "hit"


async def test_an_answer_lives_no_longer_than_its_time(world: World, http: httpx.AsyncClient) -> None:
    await ask(http)
    world.now = 299.0
    assert (await ask(http))[1] == "hit"
    world.now = 301.0
    assert (await ask(http))[1] == "miss"
    world.now = 700.0
    world.cached.tend()
    assert world.cached.cache is not None and len(world.cached.cache) == 0
    assert value("monmouth_cache_top_askings", rank="1") == 3 and value("monmouth_cache_top_askings", rank="10") == 0


async def test_a_store_that_cannot_tell_its_version_is_never_kept_from(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(_: bytes) -> Version | None:
        return None

    monkeypatch.setattr(world.index, "version", unknown)
    await world.remember(upsert(ALICE, world.grow(), 0, "swapped eth"))
    for _ in range(2):
        assert await ask(http) == (["swapped eth"], "miss")
    assert world.cached.cache is not None and len(world.cached.cache) == 0


async def test_a_kept_answer_does_not_hide_a_failure(world: World, http: httpx.AsyncClient) -> None:
    await ask(http)
    path = f"/v1/agents/{to_hex(ALICE)}/query"
    world.chain.stuck = True
    assert (await http.post(path, json={"query": "swapped eth"})).status_code == 503
    world.chain.stuck = False
    world.memories.broken = True
    assert (await http.post(path, json={"query": "swapped eth"})).status_code == 503
    world.memories.broken = False
    assert (await ask(http))[1] == "hit"


async def test_switched_off_it_is_the_finder_alone(world: World) -> None:
    freshness = Freshness(world.chain, world.memories, [world.index])
    off = CachedFinder(world.finder, world.reads, freshness, None)
    for _ in range(2):
        assert not (await off.answer(ContextRequest(ALICE, "swapped eth"))).cached
    assert off.cache is None and off.purge(ALICE) == 0
    off.tend()
    world.services = replace(world.services, finder=off)
    async with client(world) as http:
        assert (await http.get("/v1/cache")).json()["enabled"] is False
        refused = await http.put("/v1/cache", json={"size_mb": 1})
        assert (refused.status_code, refused.json()["error"]) == (400, "bad_request")


async def test_the_operator_gives_the_cache_another_size(world: World, http: httpx.AsyncClient) -> None:
    await world.remember(upsert(ALICE, world.grow(), 0, "swapped eth"))
    for number in range(8):
        for _ in range(7):
            await ask(http, query=f"swapped eth {number}")
    assert world.cached.cache is not None
    before = (await http.get("/v1/cache")).json()
    after = (await http.put("/v1/cache", json={"size_mb": 2, "l1_entries": 3})).json()
    assert (before["entries"], before["hot_entries"]) == (8, 8)
    assert (after["entries"], after["hot_entries"], after["limit_bytes"]) == (8, 3, 2 << 20)
    assert world.cached.cache.limits == Limits(2 << 20, 3, 300)
    grown = await http.put("/v1/cache", json={"size_mb": 64})
    assert (grown.json()["limit_bytes"], world.cached.cache.limits.hot) == (64 << 20, 16 * 1_024)
    assert (await http.put("/v1/cache", json={"size_mb": 0})).status_code == 422
    assert (await http.put("/v1/cache", json={"size_mb": 1}, headers=bearer("x" * 40))).status_code == 401


async def test_the_state_of_the_cache_is_the_operator_s_and_tells_no_content(world: World, http: httpx.AsyncClient) -> None:
    secret = "canary words of alice"
    await world.remember(upsert(ALICE, world.grow(), 0, secret))
    for _ in range(8):
        await ask(http, query=secret)
    answer = await http.get("/v1/cache")
    state = answer.json()
    assert answer.status_code == 200, answer.text
    assert state["enabled"] and state["entries"] == state["hot_entries"] == 1 and state["hit_rate"] == 7 / 8
    assert 0 < state["hot_bytes"] < state["bytes"] <= state["limit_bytes"]
    assert state["events"] == {Event.ABSENT: 1, Event.L1_HIT: 2, Event.L2_HIT: 5, Event.PROMOTED: 1}
    assert [top["askings"] for top in state["top"]] == [8]
    assert "canary" not in answer.text and ALICE.hex() not in answer.text
    assert (await http.get("/v1/cache", headers=bearer("x" * 40))).status_code == 401
    exposed = "\n".join(str(family) for family in REGISTRY.collect())
    assert "canary" not in exposed and ALICE.hex() not in exposed
