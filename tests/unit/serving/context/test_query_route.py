"""Windows, orders and prompts over REST, in the words of the client."""

from __future__ import annotations

import httpx
import pytest

from streams.serving import calls
from streams.serving.calls import GatewayError
from streams.serving.wire import Context
from tests.unit.serving.world import ALICE, BOB, World, upsert


async def asked(http: httpx.AsyncClient, *asking, **more) -> Context:
    call = calls.query_context(ALICE, *asking, **more)
    response = await http.request(call.method, call.target, content=call.body, headers={"content-type": "application/json"})
    return call.read(response.status_code, response.content)


async def test_a_window_is_walked_over_rest(world: World, http: httpx.AsyncClient) -> None:
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, n, f"memory {n}", timestamp=n) for n in range(5)))
    first = await asked(http, window={"kind": "temporal", "seconds": 2})
    assert [item.text for item in first.items] == ["memory 4", "memory 3", "memory 2"]
    second = await asked(http, window={"kind": "temporal", "seconds": 2}, cursor=first.next, order="time")
    assert [item.text for item in second.items] == ["memory 0", "memory 1"]
    assert second.next is None


async def test_a_prompt_is_measured_as_a_whole_and_cites(world: World, http: httpx.AsyncClient) -> None:
    ref = world.grow()
    fact = upsert(ALICE, ref, 0, "swapped eth\n[9] and lied")
    await world.remember(fact, upsert(ALICE, ref, 1, "swapped eth again"))
    answer = await asked(http, "swapped eth", render="cited", order="time")
    assert answer.prompt is not None
    assert fact["memory"] is not None
    assert answer.tokens == world.embedder.count_tokens(answer.prompt)
    assert f"memory 0x{fact['memory_id'].hex()}" in answer.prompt
    assert "\n    [9] and lied" in answer.prompt
    numbers = [item.text for item in answer.items]
    assert all(f"[{n}] {text.splitlines()[0]}" in answer.prompt for n, text in enumerate(numbers, 1))
    for budget in range(1, answer.tokens):
        less = await asked(http, "swapped eth", render="cited", max_tokens=budget)
        assert less.prompt is not None
        assert world.embedder.count_tokens(less.prompt) == less.tokens <= budget == less.tokens_allowed
        assert len(less.items) + less.left_out == 2
        plain = await asked(http, "swapped eth", render="plain", max_tokens=budget, truncate=True)
        assert plain.prompt is not None
        assert world.embedder.count_tokens(plain.prompt) == plain.tokens <= budget


async def test_the_budget_of_tokens_is_what_bounds_an_answer(world: World, http: httpx.AsyncClient) -> None:
    ref = world.grow()
    await world.remember(*(upsert(ALICE, ref, n, f"swapped {n} eth for dai in pool number {n % 7}") for n in range(256)))
    for block in range(3):
        ref = world.grow()
        said = (f"note {n} of day {block} on gas paid in dai" for n in range(256))
        await world.remember(*(upsert(ALICE, ref, n, text, timestamp=9_000 + n) for n, text in enumerate(said)))
    answer = await asked(http, "what was swapped for dai", 1_000, max_tokens=7_000)
    assert 7_000 - 10 < answer.tokens <= 7_000
    assert len(answer.items) + answer.left_out == 1_000
    assert answer.left_out > 0
    assert all("swapped" in item.text for item in answer.items[:64])
    told = await asked(http, "what was swapped for dai", 1_000, max_tokens=7_000, render="cited")
    assert told.prompt is not None
    assert 7_000 * 0.9 < told.tokens == world.embedder.count_tokens(told.prompt) <= 7_000


async def test_an_answer_lists_what_says_the_same_last(world: World, http: httpx.AsyncClient) -> None:
    ref = world.grow()
    said = ["swapped 1 ETH for DAI", "Swapped 1 ETH for DAI.", "swapped 2 ETH for DAI", "voted"]
    await world.remember(*(upsert(ALICE, ref, i, text, timestamp=9_000 * i) for i, text in enumerate(said)))
    found = [item.text for item in (await asked(http, "swapped 1 ETH for DAI", min_similarity=-1)).items]
    assert {found[0], found[-1]} == set(said[:2])


async def test_an_id_taken_over_by_another_agent_changes_no_budget(world: World, http: httpx.AsyncClient) -> None:
    ref = world.grow()
    mine, memory = upsert(ALICE, ref, 0, "swapped eth for dai and much more"), upsert(BOB, ref, 0, "eth")["memory"]
    assert memory is not None
    await world.remember(mine, {**mine, "owner": BOB, "block": None, "memory": {**memory, "id": mine["memory_id"]}})
    call, headers = calls.query_context(BOB, "eth"), {"content-type": "application/json"}
    response = await http.request(call.method, call.target, content=call.body, headers=headers)
    short = call.read(response.status_code, response.content)
    assert [(item.memory_id, item.tokens) for item in short.items] == [(f"0x{mine['memory_id'].hex()}", 1)]
    long = await asked(http, "eth", max_tokens=3)
    assert (long.items, long.left_out) == ([], 1)


async def test_one_memory_may_be_cut_if_asked_for(world: World, http: httpx.AsyncClient) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth for dai and more"), upsert(ALICE, ref, 1, "eth"))
    whole = await asked(http, "swapped eth", max_tokens=4)
    assert ([item.text for item in whole.items], whole.left_out) == (["eth"], 1)
    cut = await asked(http, "swapped eth", max_tokens=4, truncate=True)
    assert sorted((item.text, item.truncated) for item in cut.items) == [("eth", False), ("swapped eth for", True)]
    assert (cut.tokens, cut.left_out, cut.omitted.truncated) == (4, 0, 1)


async def test_filters_over_rest(world: World, http: httpx.AsyncClient) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth", importance=0.2), upsert(ALICE, ref, 1, "swapped eth twice"))
    answer = await asked(http, "swapped eth", filter={"min_importance": 0.4, "types": ["EPISODIC"]})
    assert [item.text for item in answer.items] == ["swapped eth twice"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"window": {"kind": "temporal"}},
        {"window": {"kind": "temporal", "seconds": -1}},
        {"window": {"kind": "actions", "count": 1_001}},
        {"window": {"kind": "semantic", "tags": []}},
        {"window": {"kind": "priority", "min_importance": 1.5}},
        {"window": {"kind": "priority", "min_importance": 0.5, "size": 1_001}},
        {"window": {"kind": "yesterday"}},
        {"query": "x", "order": "backwards"},
        {"query": "x", "render": "html"},
        {"query": "x", "max_results": 1_001},
        {"query": "x", "cursor": "abc"},
        {"query": "x", "filter": {"types": ["NONE"]}},
    ],
)
async def test_what_makes_no_sense_is_refused(http: httpx.AsyncClient, wrong: dict) -> None:
    with pytest.raises(GatewayError) as refused:
        await asked(http, **wrong)
    assert (refused.value.status, refused.value.error) == (422, "invalid")


async def test_a_forged_cursor_is_refused(http: httpx.AsyncClient) -> None:
    with pytest.raises(GatewayError, match="none that a gateway gave") as refused:
        await asked(http, window={"kind": "temporal", "seconds": 2}, cursor="AAAA")
    assert refused.value.status == 400
