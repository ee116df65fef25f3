"""The verbs beside store and forget over REST, and the moment a read asks about."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from schemas.defaults import plain_command
from streams.agents.memory_facts import command_facts, eviction
from tests.steps import step_undo
from tests.unit.serving.test_rest import A, refused
from tests.unit.serving.world import ALICE, World, upsert


async def store(http: httpx.AsyncClient, text: str, verb: str = "", **fields: Any) -> str:
    response = await http.post(f"{A}/memories{verb}", json={"text": text, **fields})
    assert response.status_code == 201, response.text
    return response.json()["memory_id"]


async def listed(http: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await http.get(f"{A}/memories", params=params)
    assert answer.status_code == 200, answer.text
    return [item["text"] for item in answer.json()["items"]]


async def one(http: httpx.AsyncClient, memory_id: str, **params: Any) -> dict[str, Any]:
    answer = await http.get(f"{A}/memories/{memory_id}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_superseded_is_kept_and_shown_only_if_asked_for(http: httpx.AsyncClient) -> None:
    old = await store(http, "lives in Rome", timestamp=100)
    new = await store(http, "lives in Oslo", "/supersede", timestamp=200, supersedes=[{"memory_id": old}])
    assert await listed(http) == ["lives in Oslo"]
    assert await listed(http, include_invalid=True) == ["lives in Oslo", "lives in Rome"]
    assert await listed(http, valid_at=150) == ["lives in Rome"]
    assert await listed(http, as_of_time=150) == ["lives in Rome"]
    assert await listed(http, as_of_time=50) == []
    refused(await http.get(f"{A}/memories/{old}"), 404, "not_found")
    ended = await one(http, old, include_invalid=True)
    assert ended["validity"] == {
        "valid_from": 100, "valid_to": 200, "superseded_by": [new], "invalidated_by": [], "contradicts": [],
    }  # fmt: skip
    assert (await one(http, old, as_of_time=100))["validity"]["valid_to"] is None
    assert (await one(http, new))["edges"][0] | {"relation": ""} == {
        "kind": "SUPERSEDES", "source": None, "target": old, "relation": "", "strength": 1.0, "until": None,
    }  # fmt: skip


async def test_merge_link_and_invalidate(http: httpx.AsyncClient) -> None:
    parts = [await store(http, text, timestamp=100) for text in ("likes tea", "drinks it at five")]
    whole = await store(http, "drinks tea at five", "/merge", timestamp=200, merges=[{"memory_id": part} for part in parts])
    assert await listed(http) == ["drinks tea at five"]
    link = {"links": [{"source": parts[0], "target": whole, "relation": "part of", "strength": 0.5}], "timestamp": 210}
    linked = (await http.post(f"{A}/memories/link", json=link)).json()
    reason = {"memories": [{"memory_id": whole, "until": 300}], "reason": "doctor's orders", "timestamp": 310}
    amended = (await http.post(f"{A}/memories/invalidate", json=reason)).json()
    assert await listed(http) == []
    assert await listed(http, amendments=True) == ["doctor's orders", ""]
    assert await listed(http, valid_at=250, amendments=True) == ["", "drinks tea at five"]
    shown = await one(http, amended["memory_id"])
    assert (shown["form"], shown["edges"][0]["kind"], shown["edges"][0]["until"]) == ("AMENDMENT", "INVALIDATES", 300)
    assert (await one(http, linked["memory_id"]))["edges"][0]["source"] == parts[0]
    assert (await one(http, whole, include_invalid=True))["validity"]["invalidated_by"] == [amended["memory_id"]]


async def test_forgetting_what_ended_a_memory_brings_it_back(http: httpx.AsyncClient) -> None:
    old = await store(http, "lives in Rome", timestamp=100)
    response = await http.post(f"{A}/memories/invalidate", json={"memories": [{"memory_id": old}], "timestamp": 200})
    assert await listed(http) == []
    await http.delete(f"{A}/memories/{response.json()['memory_id']}")
    assert await listed(http) == ["lives in Rome"]
    await http.delete(f"{A}/memories/{old}")
    assert await listed(http, include_invalid=True) == await listed(http, as_of_time=150) == []


async def test_what_had_to_make_room_still_ends_what_it_ended(http: httpx.AsyncClient, world: World) -> None:
    old = await store(http, "lives in Rome", timestamp=100)
    new = await store(http, "lives in Oslo", "/supersede", timestamp=200, supersedes=[{"memory_id": old}])
    await world.memories.apply([eviction(ALICE, bytes.fromhex(new[2:]))])
    assert await listed(http) == []
    assert await listed(http, include_invalid=True) == ["lives in Rome"]
    assert (await one(http, old, include_invalid=True))["validity"]["superseded_by"] == [new]
    await http.delete(f"{A}/memories/{new}")
    assert await listed(http) == ["lives in Rome"]


async def test_no_later_word_changes_what_was_known(http: httpx.AsyncClient, world: World) -> None:
    """A command may claim any time; the log says when it had it."""
    ref = world.grow(time=2_000)
    for number, text, claimed, appended in ((1, "long ago", 100, 5_000), (2, "planned", 9_000, 1_500)):
        command = {**plain_command(bytes([number]) * 16, ALICE, "STORE", claimed), "type": "SEMANTIC", "content": text.encode()}
        await world.remember(*command_facts(ALICE, command, appended))  # type: ignore[arg-type]
    assert await listed(http, as_of_time=4_999) == await listed(http, as_of_block=ref.number) == []
    assert await listed(http, as_of_time=5_000) == ["long ago"], "true since what it claims, known since the log had it"
    assert await listed(http, as_of_time=1_500, valid_at=9_000) == ["planned"]
    assert await listed(http, as_of_block=ref.number, include_invalid=True) == ["planned"]
    assert await listed(http, valid_at=100) == ["long ago"]
    assert await listed(http, as_of_time=1_499, include_invalid=True) == []
    answer = (await http.post(f"{A}/query", json={"query": "long ago", "as_of_time": 4_999, "min_similarity": -1})).json()
    assert answer["items"] == []


async def test_statements_about_one_thing(http: httpx.AsyncClient) -> None:
    said = {"subject": "alice", "predicate": "lives in"}
    rome = await store(http, "Rome", timestamp=100, **said)
    oslo = await store(http, "Oslo", timestamp=200, valid_from=150, **said)
    bonn = await store(http, "Bonn", timestamp=210, valid_from=150, **said)
    assert await listed(http) == ["Bonn"]
    assert await listed(http, as_of_time=205) == ["Oslo"]
    assert (await one(http, rome, include_invalid=True))["validity"]["superseded_by"] == sorted([oslo, bonn])
    assert (await one(http, bonn))["validity"]["contradicts"] == [oslo]


async def test_context_at_a_moment(http: httpx.AsyncClient, world: World) -> None:
    first, second = world.grow(time=100), world.grow(time=200)
    old = upsert(ALICE, first, 0, "alice lives in rome", timestamp=100)
    new = upsert(ALICE, second, 0, "alice lives in oslo", timestamp=200)
    assert old["memory"] is not None and new["memory"] is not None
    for fact in (old, new):
        fact["memory"] = {**fact["memory"], "subject": "alice", "predicate": "lives in"}  # type: ignore[typeddict-item]
    await world.remember(old, new)

    async def asked(**when: Any) -> list[str]:
        answer = (await http.post(f"{A}/query", json={"query": "alice lives in", **when})).json()
        return sorted(item["text"] for item in answer["items"])

    assert await asked() == ["alice lives in oslo"]
    assert await asked(as_of_block=first.number) == ["alice lives in rome"]
    assert await asked(as_of_time=150) == await asked(valid_at=150) == ["alice lives in rome"]
    assert await asked(include_invalid=True) == ["alice lives in oslo", "alice lives in rome"]
    assert await listed(http, as_of_block=first.number) == ["alice lives in rome"]
    answer = (await http.get(f"{A}/memories", params={"as_of_block": first.number, "valid_at": 99})).json()
    assert (answer["items"], answer["as_of"]["known_block"], answer["as_of"]["known_time"]) == ([], first.number, 100)
    world.chain.pending.append(step_undo(3, [second], first))  # what ended the other one is gone from the chain
    assert await asked() == await listed(http) == ["alice lives in rome"]


async def test_a_later_command_is_not_known_at_a_block(http: httpx.AsyncClient, world: World) -> None:
    ref = world.grow(time=100)
    await world.remember(upsert(ALICE, ref, 0, "lives in Rome", timestamp=100))
    await store(http, "a note of then", timestamp=100)
    await store(http, "a note of later", timestamp=101)
    assert sorted(await listed(http, as_of_block=ref.number)) == ["a note of then", "lives in Rome"]


@pytest.mark.parametrize("path", ["", "/0x" + "11" * 32])
async def test_a_block_that_is_not_there_is_no_moment(http: httpx.AsyncClient, world: World, path: str) -> None:
    refused(await http.get(f"{A}/memories{path}", params={"as_of_block": 5}), 400, "bad_request")
    refused(await http.post(f"{A}/query", json={"query": "x", "as_of_block": 5}), 400, "bad_request")
    world.chain.view.times.cut(-1)
    refused(await http.get(f"{A}/memories", params={"as_of_block": 0}), 400, "bad_request")
    assert (await http.get(f"{A}/memories", params={"as_of_block": 0, "as_of_time": 5})).status_code == 200


ID = "0x" + "11" * 32


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("supersede", {"text": "x", "supersedes": []}, 422),
        ("supersede", {"text": "x", "supersedes": [{"memory_id": "0x12"}]}, 400),
        ("supersede", {"text": "x", "supersedes": [{"memory_id": ID}, {"memory_id": ID}]}, 400),
        ("supersede", {"supersedes": [{"memory_id": ID}]}, 400),
        ("supersede", {"text": "x", "supersedes": [{"memory_id": ID, "until": 2**62}]}, 400),
        ("merge", {"text": "x", "merges": [{"memory_id": ID}] * 65}, 422),
        ("link", {"links": [{"source": ID, "target": ID}]}, 400),
        ("link", {"links": [{"source": ID, "target": "0x" + "12" * 32, "strength": 2}]}, 422),
        ("link", {"links": []}, 422),
        ("invalidate", {"memories": [{"memory_id": ID}], "reason": "r" * 4097}, 422),
        ("invalidate", {"memories": []}, 422),
        ("", {"text": "x", "subject": "alice"}, 400),
        ("", {"text": "x", "valid_from": 5, "valid_to": 5}, 400),
        ("", {"text": "x", "links": [{"target": "0x12"}]}, 400),
    ],
)
async def test_what_the_memory_agent_would_refuse_is_refused_here(
    http: httpx.AsyncClient, world: World, verb: str, body: Any, status: int
) -> None:
    response = await http.post(f"{A}/memories{'/' * bool(verb)}{verb}", json=body)
    refused(response, status, "invalid" if status == 422 else "bad_request")
    assert world.commands.sent == []


async def test_sent_twice_is_done_once(http: httpx.AsyncClient) -> None:
    old = await store(http, "lives in Rome", timestamp=100)
    body = {"command_id": "00000000-0000-0000-0000-000000000007", "supersedes": [{"memory_id": old}]}
    assert len({await store(http, "lives in Oslo", "/supersede", **body) for _ in range(2)}) == 1
    assert await listed(http, include_invalid=True) == ["lives in Oslo", "lives in Rome"]
