"""What one agent sees of another: what was granted, for as long as it was, and no trace of the rest."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.identity import Member, bearer, member
from tests.unit.serving.world import World, upsert

ALICE, BOB, CAROL = member(1), member(2), member(3)
SECRET = "the plan is a secret"
PLANS = {"the plan for the team": ["team"], SECRET: ["own"], "the plan for all": ["team", "own"], "a plan without a tag": []}


class Asker:
    """Requests with a token of its own."""

    def __init__(self, http: httpx.AsyncClient, world: World, who: Member) -> None:
        self._http, self.who, self._headers = http, who, bearer(world.token_of(who))

    async def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self._http.request(method, path.format(me=self.who.name, alice=ALICE.name), headers=self._headers, **more)

    async def texts(self, **params: Any) -> set[str]:
        answer = await self.send("GET", "/v1/agents/{me}/shared/{alice}/memories", params=params)
        assert answer.status_code == 200, answer.text
        return {item["text"] for item in answer.json()["items"]}

    async def found(self, **body: Any) -> list[str]:
        answer = await self.send("POST", "/v1/agents/{me}/shared/{alice}/query", json={"query": "the plan", **body})
        assert answer.status_code == 200, answer.text
        assert answer.json()["left_out"] == 0
        return [item["text"] for item in answer.json()["items"]]

    async def shut(self) -> None:
        for method, path in (("GET", "memories"), ("GET", "memories/0x" + "11" * 32), ("POST", "query")):
            body = {"query": "the plan"} if method == "POST" else None
            answer = await self.send(method, "/v1/agents/{me}/shared/{alice}/" + path, json=body)
            assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
            assert "secret" not in answer.text


@pytest.fixture
async def alice(http: httpx.AsyncClient, world: World) -> Asker:
    owner = Asker(http, world, ALICE)
    for text, tags in PLANS.items():
        stored = await owner.send("POST", "/v1/agents/{alice}/memories", json={"text": text, "tags": tags})
        assert stored.status_code == 201
    for fact in [row.memory for row in world.memories.rows.values()]:
        assert fact is not None
        vector = world.embedder.embed([fact["content"].decode()])[0]
        world.index.rows[fact["agent"], fact["id"]] = vector
    return owner


@pytest.fixture
def bob(http: httpx.AsyncClient, world: World) -> Asker:
    return Asker(http, world, BOB)


async def grant(alice: Asker, rights: list[str], namespace: str = "", to: Member = BOB, **more: Any) -> None:
    body = {"grantee": to.name, "rights": rights, "namespace": namespace, **more}
    answer = await alice.send("POST", "/v1/agents/{alice}/grants", json=body)
    assert (answer.status_code, answer.json()["visible"]) == (202, True), answer.text


async def revoke(alice: Asker, namespace: str = "") -> None:
    params = {"grantee": BOB.name, "namespace": namespace}
    assert (await alice.send("DELETE", "/v1/agents/{alice}/grants", params=params)).status_code == 202


async def test_nothing_without_a_grant_and_nothing_after_it(
    alice: Asker, bob: Asker, http: httpx.AsyncClient, world: World
) -> None:
    await bob.shut()
    await grant(alice, ["read"], "team")
    assert await bob.texts() == {"the plan for the team", "the plan for all"}
    assert set(await bob.found()) == {"the plan for the team", "the plan for all"}
    await Asker(http, world, CAROL).shut()
    await revoke(alice, "team")
    await bob.shut()
    await grant(alice, ["read"])
    assert await bob.texts() == set(PLANS)
    await revoke(alice)
    await bob.shut()


async def test_a_grant_ends_at_its_time(alice: Asker, bob: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = int(time.time()) + 100
    await grant(alice, ["read"], "team", until=ends)
    assert len(await bob.texts()) == 2
    assert len((await alice.send("GET", "/v1/agents/{alice}/grants")).json()["items"]) == 1
    monkeypatch.setattr(time, "time", lambda: float(ends))
    await bob.shut()
    assert (await alice.send("GET", "/v1/agents/{alice}/grants")).json()["items"] == []


async def test_what_is_hidden_is_absent_by_id_tag_and_count(alice: Asker, bob: Asker) -> None:
    await grant(alice, ["read"], "team")
    listed = (await alice.send("GET", "/v1/agents/{alice}/memories")).json()["items"]
    for item in listed:
        answer = await bob.send("GET", "/v1/agents/{me}/shared/{alice}/memories/" + item["id"])
        assert answer.status_code == (200 if "team" in item["tags"] else 404)
        assert ("secret" in answer.text) is False
    assert await bob.texts(tag="own") == {"the plan for all"}
    assert len(await bob.texts(limit=1)) == 1
    assert len(await bob.found(max_results=1)) == 1
    assert await bob.found(max_tokens=5) == ["the plan for the team"] or len(await bob.found(max_tokens=5)) == 1


async def test_the_owners_own_routes_stay_shut_whatever_was_granted(alice: Asker, bob: Asker) -> None:
    await grant(alice, ["read", "write"])
    for method, path in (
        ("GET", "memories"),
        ("POST", "memories"),
        ("POST", "query"),
        ("GET", "root"),
        ("GET", "key"),
        ("DELETE", "key"),
        ("GET", "grants"),
        ("POST", "grants"),
        ("GET", f"shared/{CAROL.name}/memories"),
    ):
        assert (await bob.send(method, "/v1/agents/{alice}/" + path)).status_code == 403


async def test_storing_with_another_agent(alice: Asker, bob: Asker, world: World) -> None:
    path = "/v1/agents/{me}/shared/{alice}/memories"
    for body in ({"text": "x", "namespace": "team"}, {"text": "x"}):
        assert (await bob.send("POST", path, json=body)).status_code == 403
    await grant(alice, ["read"], "team")
    assert (await bob.send("POST", path, json={"text": "x", "namespace": "team"})).status_code == 403
    await grant(alice, ["read", "write"], "team")
    assert (await bob.send("POST", path, json={"text": "x", "namespace": "own"})).status_code == 403
    assert (await bob.send("POST", path, json={"text": "x"})).status_code == 403
    elsewhere = {"text": "x", "namespace": "team", "tags": ["hello"]}  # whoever reads that tag was not asked
    assert (await bob.send("POST", path, json=elsewhere)).status_code == 403
    await grant(alice, ["write"], "hello")
    stored = await bob.send("POST", path, json={"text": "from bob", "namespace": "team", "tags": ["hello"]})
    assert stored.status_code == 202
    command = world.commands.sent[-1]
    assert (command["agent"], command["author"], command["tags"]) == (ALICE.agent, BOB.agent, ["team", "hello"])
    assert abs(command["timestamp"] - time.time()) < 60
    assert "from bob" in await bob.texts()
    assert (await bob.send("GET", "/v1/agents/{me}/memories")).json()["items"] == []
    await revoke(alice, "team")
    assert (await bob.send("POST", path, json={"text": "x", "namespace": "team"})).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"grantee": BOB.name, "rights": []}, 422),
        ({"grantee": BOB.name, "rights": ["admin"]}, 422),
        ({"grantee": "0x12", "rights": ["read"]}, 400),
        ({"grantee": ALICE.name, "rights": ["read"]}, 400),
        ({"grantee": BOB.name, "rights": ["read"], "namespace": "x" * 65}, 422),
        ({"grantee": BOB.name, "rights": ["read"], "until": -1}, 422),
    ],
)
async def test_what_is_no_grant(alice: Asker, body: dict[str, Any], status: int, world: World) -> None:
    before = len(world.commands.sent)
    assert (await alice.send("POST", "/v1/agents/{alice}/grants", json=body)).status_code == status
    assert len(world.commands.sent) == before


async def test_what_is_hidden_is_named_nowhere_and_takes_no_room(alice: Asker, bob: Asker) -> None:
    await grant(alice, ["read"], "team")
    (shared,) = [
        item
        for item in (await alice.send("GET", "/v1/agents/{alice}/memories")).json()["items"]
        if "for the team" in item["text"]
    ]
    ended = await alice.send(
        "POST",
        "/v1/agents/{alice}/memories/supersede",
        json={
            "text": "the plan that nobody knows",
            "supersedes": [{"memory_id": shared["id"], "until": int(time.time()) + 3_600}],
            "valid_from": int(time.time()) + 3_600,
        },
    )
    assert ended.status_code == 201, ended.text
    answer = await bob.send("POST", "/v1/agents/{me}/shared/{alice}/query", json={"query": "the plan"})
    assert {item["text"] for item in answer.json()["items"]} == {"the plan for the team", "the plan for all"}
    assert ended.json()["memory_id"] not in answer.text
    assert set(await bob.found(max_results=2)) == {"the plan for the team", "the plan for all"}
    room = sum(item["tokens"] for item in answer.json()["items"])
    assert set(await bob.found(max_tokens=room)) == {"the plan for the team", "the plan for all"}


async def test_a_moment_may_be_asked_about(alice: Asker, bob: Asker, world: World) -> None:
    await grant(alice, ["read"], "team")
    first, second = world.grow(time=100), world.grow(time=200)
    for block, text, hidden in (
        (first, "the plan of old", False),
        (second, "the plan of new", False),
        (first, "own old", True),
    ):
        fact = upsert(ALICE.agent, block, 0 if not hidden else 1, text, timestamp=100 * block.number)
        assert fact["memory"] is not None
        said = {"subject": text if hidden else "plan", "predicate": "is", "tags": ["own"] if hidden else ["team"]}
        fact["memory"] = {**fact["memory"], **said}  # type: ignore[typeddict-item]
        await world.remember(fact)
    name = "0x" + fact_id(world, b"the plan of old").hex()
    path = "/v1/agents/{me}/shared/{alice}/memories/" + name
    assert (await bob.send("GET", path)).status_code == 404, "it is no longer true"
    assert "the plan of old" not in await bob.texts() and "the plan of old" in await bob.texts(include_invalid=True)
    for moment in ({"as_of_block": first.number}, {"as_of_time": 150}):
        assert await bob.texts(**moment) == {"the plan of old"}
        assert await bob.found(min_similarity=-1, **moment) == ["the plan of old"]
        assert (await bob.send("GET", path, params=moment)).json()["text"] == "the plan of old"
        everywhere = {"query": "the plan", "min_similarity": -1, **moment}
        answer = (await bob.send("POST", "/v1/agents/{me}/shared/query", json=everywhere)).json()
        assert [item["text"] for item in answer["items"]] == ["the plan of old"]
        assert {name: answer["as_of"][name.replace("as_of", "known")] for name in moment} == moment
    at = {"valid_at": 150}
    assert await bob.texts(**at) == {"the plan of old"}
    assert set(await bob.found(min_similarity=-1, **at)) == {"the plan of old"}
    for where in ("{alice}/memories", "{alice}/query", "query"):
        ask = {"json": {"query": "x", "as_of_block": 99}} if where.endswith("query") else {"params": {"as_of_block": 99}}
        method = "POST" if "json" in ask else "GET"
        refused = await bob.send(method, "/v1/agents/{me}/shared/" + where, **ask)
        assert (refused.status_code, refused.json()["error"]) == (400, "bad_request"), where


def fact_id(world: World, content: bytes) -> bytes:
    return next(row.memory["id"] for row in world.memories.rows.values() if row.memory and row.memory["content"] == content)


@pytest.mark.parametrize("more", [{"proofs": True}, {"order": "time"}, {"window": {"kind": "temporal", "seconds": 5}}])
async def test_what_cannot_be_asked_of_another_agent_is_refused(alice: Asker, bob: Asker, more: dict[str, Any]) -> None:
    await grant(alice, ["read"])
    answer = await bob.send("POST", "/v1/agents/{me}/shared/{alice}/query", json={"query": "the plan", **more})
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")
