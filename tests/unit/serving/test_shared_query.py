"""One question to all that an agent may read: its own, what was granted, and no trace of the rest."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from schemas.defaults import plain_memory
from schemas.records import Memory
from streams.serving.app import create_app
from streams.serving.client import AsyncClient
from streams.serving.context import shared as finder
from streams.serving.routers import shared_query
from tests.identity import bearer
from tests.steps import step_undo
from tests.unit.serving.served import served
from tests.unit.serving.test_shared import ALICE, BOB, CAROL, Asker, alice, bob, grant, revoke
from tests.unit.serving.world import World, upsert

__all__ = ["alice", "bob"]
PATH = "/v1/agents/{me}/shared/query"
TEAM = {"the plan for the team", "the plan for all"}
Found = set[tuple[str, str]]


async def keep(asker: Asker, world: World, text: str, **more: Any) -> str:
    """A memory with its vector; its id."""
    answer = await asker.send("POST", "/v1/agents/{me}/memories", json={"text": text, **more})
    assert answer.status_code == 201, answer.text
    name = str(answer.json()["memory_id"])
    world.index.rows[asker.who.agent, bytes.fromhex(name[2:])] = world.embedder.embed([text])[0]
    return name


async def ask(asker: Asker, **body: Any) -> dict[str, Any]:
    answer = await asker.send("POST", PATH, json={"query": "the plan", "min_similarity": -1, "max_results": 100, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def found(asker: Asker, **body: Any) -> Found:
    return {(item["owner"], item["text"]) for item in (await ask(asker, **body))["items"]}


@pytest.fixture
async def carol(http: httpx.AsyncClient, world: World) -> Asker:
    """With a plan that she grants to nobody."""
    asker = Asker(http, world, CAROL)
    await keep(asker, world, "the plan of carol", tags=["team"])
    return asker


def of_alice(texts: set[str]) -> Found:
    return {(ALICE.name, text) for text in texts}


async def test_own_memories_and_those_granted_each_with_its_owner(alice: Asker, bob: Asker, carol: Asker, world: World) -> None:
    await keep(bob, world, "the plan of bob")
    mine = {(BOB.name, "the plan of bob")}
    assert await found(bob) == mine
    await grant(alice, ["read"], "team")
    assert await found(bob) == mine | of_alice(TEAM)
    answer = await ask(bob)
    assert (answer["owners"], answer["unsearched"]) == (sorted([ALICE.name, BOB.name]), [])
    assert "carol" not in str(answer) and CAROL.name not in str(answer)
    assert all(item["citation"]["memory_id"] and item["tokens"] > 0 for item in answer["items"])
    assert await found(bob, owners=[]) == mine
    assert await found(bob, owners=[ALICE.name, BOB.name]) == mine | of_alice(TEAM)
    await revoke(alice, "team")
    assert await found(bob) == mine


async def _only_what_was_granted(alice: Asker, bob: Asker) -> None:
    assert await found(bob) == set()
    await grant(alice, ["read"], "team")
    assert await found(bob) == of_alice(TEAM)


async def test_nothing_without_a_grant(alice: Asker, bob: Asker, carol: Asker) -> None:
    await _only_what_was_granted(alice, bob)


async def test_a_gateway_that_forgets_the_grants_would_be_seen(
    alice: Asker, bob: Asker, carol: Asker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def all_of_everybody(*_: object) -> dict[bytes, None]:
        return {ALICE.agent: None, BOB.agent: None, CAROL.agent: None}

    monkeypatch.setattr(shared_query, "readable", all_of_everybody)
    with pytest.raises(AssertionError):
        await _only_what_was_granted(alice, bob)
    monkeypatch.undo()
    await revoke(alice, "team")
    monkeypatch.setattr(shared_query, "_granted", lambda row, agent, now: None)
    with pytest.raises(AssertionError):
        await _only_what_was_granted(alice, bob)


async def test_the_last_check_stands_by_itself(alice: Asker, bob: Asker, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that finds too much shows nothing of it."""
    pool = world.services.shared._pooled.pool

    async def careless(_: object, __: object, question: Any) -> Any:
        return await pool({ALICE.agent, BOB.agent}, {}, question)

    monkeypatch.setattr(world.services.shared._pooled, "pool", careless)
    assert await found(bob) == set()
    await grant(alice, ["read"], "team")
    assert await found(bob) == of_alice(TEAM)
    monkeypatch.setattr(finder, "may_read", lambda readable, memory: True)
    assert len(await found(bob)) > len(TEAM), "which is what the check is for"


async def test_a_grant_to_write_or_one_that_ended_shows_nothing(
    alice: Asker, bob: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await grant(alice, ["write"])
    assert await found(bob) == set()
    ends = int(time.time()) + 100
    await grant(alice, ["read"], "team", until=ends)
    assert await found(bob) == of_alice(TEAM)
    monkeypatch.setattr(time, "time", lambda: float(ends))
    assert await found(bob) == set()


async def test_what_is_hidden_moves_no_score(alice: Asker, bob: Asker, world: World) -> None:
    await grant(alice, ["read"], "team")
    before = await ask(bob)
    for number in range(9):
        await keep(alice, world, f"the plan, hidden {number}", tags=["own"])
    assert await ask(bob) == before


async def test_memories_of_an_open_session_do_not_show(alice: Asker, bob: Asker, world: World) -> None:
    await grant(alice, ["read"])
    before = await found(bob)
    plain = plain_memory(b"\7" * 32, ALICE.agent, "EPHEMERAL", "SESSION", 1_000)
    memory: Memory = {**plain, "content": b"the plan of a session", "media_type": "text/plain", "session": bytes(16)}
    cause = b"\7" * 32
    await world.remember(
        {"op": "UPSERT", "cause": cause, "memory_id": memory["id"], "owner": ALICE.agent, "memory": memory, "block": None}
    )
    assert await found(bob) == before
    assert await found(alice) == before


async def test_what_was_undone_or_is_no_longer_true_does_not_show(alice: Asker, bob: Asker, world: World) -> None:
    await grant(alice, ["read"])
    base, before = world.blocks[-1], await found(bob)
    await world.remember(upsert(ALICE.agent, world.grow(), 0, "the plan on the chain"))
    assert await found(bob) == before | of_alice({"the plan on the chain"})
    world.chain.view.apply(step_undo(2, [world.blocks.pop()], base))
    assert await found(bob) == before
    old = await keep(alice, world, "the plan of yesterday")
    assert await found(bob) == before | of_alice({"the plan of yesterday"})
    ended = await alice.send("POST", "/v1/agents/{me}/memories/invalidate", json={"memories": [{"memory_id": old}]})
    assert ended.is_success, ended.text
    assert await found(bob) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"owners": [CAROL.name]}, 403),
        ({"owners": [ALICE.name, CAROL.name]}, 403),
        ({"owners": ["0x" + "99" * 20]}, 403),
        ({"owners": ["0x12"]}, 400),
        ({"owners": [ALICE.name] * 64}, 422),
        ({"query": ""}, 422),
        ({"max_results": 1_001}, 422),
        ({"agents": [CAROL.name]}, 422),
    ],
)
async def test_what_is_refused(alice: Asker, bob: Asker, carol: Asker, body: dict[str, Any], status: int) -> None:
    await grant(alice, ["read"])
    answer = await bob.send("POST", PATH, json={"query": "the plan", **body})
    assert answer.status_code == status, answer.text
    assert "carol" not in answer.text and "secret" not in answer.text


async def test_another_agents_route_is_shut(http: httpx.AsyncClient, alice: Asker, bob: Asker, world: World) -> None:
    await grant(alice, ["read"])
    answer = await http.post(PATH.format(me=ALICE.name), json={"query": "the plan"}, headers=bearer(world.token_of(BOB)))
    assert answer.status_code == 403


async def test_limits_on_owners_items_and_tokens(
    alice: Asker, bob: Asker, carol: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner in (alice, carol):
        body = {"grantee": BOB.name, "rights": ["read"], "namespace": "team"}
        assert (await owner.send("POST", "/v1/agents/{me}/grants", json=body)).status_code == 202
    assert len((await ask(bob, max_results=2))["items"]) == 2
    short = await ask(bob, max_tokens=6)
    assert short["tokens"] <= 6 and short["left_out"] > 0
    monkeypatch.setattr(shared_query, "OWNERS_LIMIT", 1)
    refused = await bob.send("POST", PATH, json={"query": "the plan"})
    assert (refused.status_code, "owners" in refused.json()["hint"]) == (400, True)
    assert {owner for owner, _ in await found(bob, owners=[CAROL.name])} == {CAROL.name}


async def test_without_the_table_of_grants_there_is_no_answer(bob: Asker, world: World) -> None:
    world.access.broken = True
    assert (await bob.send("POST", PATH, json={"query": "the plan"})).status_code == 503


async def test_the_client_asks(alice: Asker, world: World) -> None:
    await grant(alice, ["read"], "team")
    async with served(create_app(world.services)) as url, AsyncClient(url, token=world.token_of(BOB)) as client:
        answer = await client.query_shared(BOB.agent, "the plan", [ALICE.agent], min_similarity=-1.0)
    assert {(item.owner, item.text) for item in answer.items} == of_alice(TEAM)
