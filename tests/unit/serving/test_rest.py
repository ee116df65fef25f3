"""The REST surface: every route, every refusal in one shape, nothing across agents."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from typing import Any

import httpx
import pytest

from streams.agents.memory_facts import command_facts
from streams.agents.memory_limits import MAX_CONTENT, MAX_TAG, MAX_TAGS, MAX_TIMESTAMP
from streams.core.ids import command_memory_id
from streams.decoding.features import priority
from streams.metrics import REGISTRY
from streams.ports.stores import MemoryFilter
from streams.serving import reads
from streams.serving.faults import ConflictError, UnavailableError
from streams.serving.limits import BODY_LIMIT
from streams.serving.wire import CONTENT_LIMIT, TAGS_LIMIT
from tests.steps import block, step_undo
from tests.unit.serving.world import ALICE, BOB, World, upsert

A = f"/v1/agents/0x{ALICE.hex()}"
B = f"/v1/agents/0x{BOB.hex()}"


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def refused(response: httpx.Response, status: int, error: str) -> dict[str, Any]:
    """Checks the one shape of errors, and hands back the body."""
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert set(body) == {"error", "message", "hint"}
    assert body["error"] == error
    assert body["message"]
    assert "Traceback" not in response.text
    return body


async def test_store_get_list_query_forget(http: httpx.AsyncClient, world: World) -> None:
    stored = sample("monmouth_store_commands_total")
    receipt = (await http.post(f"{A}/memories", json={"text": "likes ☕", "tags": ["taste"], "importance": 0.9})).json()
    assert receipt["visible"]
    assert receipt["memory_id"] == "0x" + command_memory_id(ALICE, uuid.UUID(receipt["command_id"]).bytes).hex()
    assert sample("monmouth_store_commands_total") == stored + 1
    one = (await http.get(f"{A}/memories/{receipt['memory_id']}")).json()
    assert (one["text"], one["tags"], one["importance"], one["content_base64"]) == ("likes ☕", ["taste"], 0.9, None)
    assert one["citation"]["source"] == "COMMAND"
    listed = (await http.get(f"{A}/memories", params={"tag": "taste"})).json()
    assert [item["id"] for item in listed["items"]] == [receipt["memory_id"]]
    assert listed["as_of"]["sequence"] == 0
    gone = await http.delete(f"{A}/memories/{receipt['memory_id']}")
    assert (gone.status_code, gone.json()["visible"]) == (200, True)
    refused(await http.get(f"{A}/memories/{receipt['memory_id']}"), 404, "not_found")
    assert [command["op"] for command in world.commands.sent] == ["STORE", "FORGET"]


async def test_query_route_counts_and_answers(http: httpx.AsyncClient, world: World) -> None:
    await world.remember(upsert(ALICE, world.grow(), 0, "swapped eth for dai"))
    before, latency = sample("monmouth_rag_queries_total"), sample("monmouth_rag_query_latency_ms_count")
    answer = (await http.post(f"{A}/query", json={"query": "swapped eth", "max_results": 3})).json()
    assert [item["text"] for item in answer["items"]] == ["swapped eth for dai"]
    assert sample("monmouth_rag_queries_total") == before + 1
    assert sample("monmouth_rag_query_latency_ms_count") == latency + 1


async def test_same_command_id_names_the_same_memory(http: httpx.AsyncClient) -> None:
    body = {"text": "once", "command_id": str(uuid.uuid4())}
    first, second = [(await http.post(f"{A}/memories", json=body)).json() for _ in range(2)]
    assert first["memory_id"] == second["memory_id"]
    assert len((await http.get(f"{A}/memories")).json()["items"]) == 1


async def test_write_not_visible_yet_says_202(http: httpx.AsyncClient, world: World) -> None:
    world.commands._store = None
    response = await http.post(f"{A}/memories", json={"text": "later", "wait": 0.1})
    assert (response.status_code, response.json()["visible"]) == (202, False)
    gone = await http.delete(f"{A}/memories/{response.json()['memory_id']}")
    assert (gone.status_code, gone.json()["visible"]) == (202, False)


async def test_opaque_bytes_come_back_as_they_were(http: httpx.AsyncClient) -> None:
    raw = bytes(range(256))
    body = {"content_base64": b64encode(raw).decode(), "media_type": "application/octet-stream"}
    receipt = (await http.post(f"{A}/memories", json=body)).json()
    one = (await http.get(f"{A}/memories/{receipt['memory_id']}")).json()
    assert (one["text"], one["content_base64"]) == (None, body["content_base64"])


async def test_filters(http: httpx.AsyncClient, world: World) -> None:
    ref = world.grow()
    await world.remember(
        upsert(ALICE, ref, 0, "old and minor", importance=0.1, timestamp=100),
        upsert(ALICE, ref, 1, "new and grave", importance=0.9, timestamp=200),
    )

    async def texts(**params: Any) -> list[str]:
        return [item["text"] for item in (await http.get(f"{A}/memories", params=params)).json()["items"]]

    assert await texts() == ["new and grave", "old and minor"]
    assert await texts(min_importance=0.5) == ["new and grave"]
    assert await texts(until=150) == ["old and minor"]
    assert await texts(since=150) == ["new and grave"]
    assert await texts(limit=1) == ["new and grave"]
    assert await texts(max_age=60) == []
    assert await texts(type=["SEMANTIC", "EPISODIC"]) == ["new and grave", "old and minor"]
    assert await texts(type="SEMANTIC") == []
    assert await texts(tag="nope") == []
    assert await texts(order="oldest") == ["old and minor", "new and grave"]
    assert await texts(order="oldest", limit=1) == ["old and minor"]
    assert (await http.get(f"{A}/memories", params={"order": "random"})).status_code == 422


async def test_the_oldest_of_many_pages_and_of_too_many(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = world.grow()
    monkeypatch.setattr(reads, "PAGE", 3)
    monkeypatch.setattr(reads, "WALKED", 12)

    async def texts(**params: Any) -> list[str]:
        return [
            item["text"] for item in (await http.get(f"{A}/memories", params={"order": "oldest", **params})).json()["items"]
        ]

    await world.remember(*(upsert(ALICE, ref, n, f"memory {n}", timestamp=100 + n // 4) for n in range(11)))
    everything = [item["text"] for item in (await http.get(f"{A}/memories")).json()["items"]]
    assert await texts() == everything[::-1], "also where many are of one second"
    assert await texts(limit=4) == everything[::-1][:4]
    assert await texts(since=102) == everything[:3][::-1]
    await world.remember(upsert(ALICE, ref, 11, "one more", timestamp=300))
    refused = await http.get(f"{A}/memories", params={"order": "oldest"})
    assert (refused.status_code, refused.json()["error"]) == (400, "bad_request")
    assert await texts(until=299) == everything[::-1]


async def test_a_chain_that_never_stands_still_has_no_oldest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = world.reads.listed

    async def moving(*arguments: Any) -> Any:
        world.grow()
        return await plain(*arguments)

    monkeypatch.setattr(world.reads, "listed", moving)
    with pytest.raises(ConflictError, match="moved on"):
        await world.reads.oldest(ALICE, MemoryFilter(), reads.present())


async def test_an_agent_never_sees_anothers(http: httpx.AsyncClient, world: World) -> None:
    ref = world.grow()
    fact = upsert(BOB, ref, 0, "secret of bob")
    await world.remember(fact)
    memory_id = "0x" + fact["memory_id"].hex()
    assert (await http.get(f"{A}/memories")).json()["items"] == []
    refused(await http.get(f"{A}/memories/{memory_id}"), 404, "not_found")
    assert (await http.post(f"{A}/query", json={"query": "secret of bob"})).json()["items"] == []
    await http.delete(f"{A}/memories/{memory_id}")
    assert (await http.get(f"{B}/memories/{memory_id}")).status_code == 200


async def test_undone_row_is_in_no_read(http: httpx.AsyncClient, world: World) -> None:
    base, ref = world.blocks[-1], world.grow()
    fact = upsert(ALICE, ref, 0, "swapped eth for dai")
    await world.remember(fact)
    dropped = sample("monmouth_rows_dropped_total")
    world.chain.pending.append(step_undo(2, [ref], base))
    assert (await http.get(f"{A}/memories")).json()["items"] == []
    refused(await http.get(f"{A}/memories/0x{fact['memory_id'].hex()}"), 404, "not_found")
    assert sample("monmouth_rows_dropped_total") > dropped
    chain = (await http.get("/v1/chain")).json()
    assert chain["head"]["hash"] == "0x" + base.hash.hex()
    assert [(reorg["depth"], reorg["tip"]["hash"]) for reorg in chain["reorgs"]] == [(1, "0x" + ref.hash.hex())]
    assert chain["reorgs"][0]["severity"] == "minor"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/v1/agents/0x12/memories", None, 400, "bad_request"),
        ("GET", "/v1/agents/0x" + "zz" * 20 + "/memories", None, 400, "bad_request"),
        ("GET", "/v1/agents/0x" + "١" * 40 + "/memories", None, 400, "bad_request"),
        ("GET", f"{A}/memories/0x1234", None, 400, "bad_request"),
        ("GET", f"{A}/memories?limit=0", None, 422, "invalid"),
        ("GET", f"{A}/memories?limit=100000", None, 422, "invalid"),
        ("GET", f"{A}/memories?min_importance=nan", None, 422, "invalid"),
        ("GET", f"{A}/memories?type=DREAM", None, 422, "invalid"),
        ("GET", f"{A}/memories?since=1&max_age=1", None, 400, "bad_request"),
        ("POST", f"{A}/query", {"query": ""}, 422, "invalid"),
        ("POST", f"{A}/query", {"query": "x" * 4097}, 422, "invalid"),
        ("POST", f"{A}/query", {"query": "x", "max_results": 0}, 422, "invalid"),
        ("POST", f"{A}/query", {"query": "x", "max_results": 1_001}, 422, "invalid"),
        ("POST", f"{A}/query", {"query": "x", "agent": "0x00"}, 422, "invalid"),
        ("POST", f"{A}/query", {"query": "\ud800"}, 422, "invalid"),
        ("POST", f"{A}/query", [1], 422, "invalid"),
        ("POST", f"{A}/memories", {}, 400, "bad_request"),
        ("POST", f"{A}/memories", {"text": ""}, 400, "bad_request"),
        ("POST", f"{A}/memories", {"text": "x", "content_base64": "eA=="}, 400, "bad_request"),
        ("POST", f"{A}/memories", {"content_base64": "%%"}, 400, "bad_request"),
        ("POST", f"{A}/memories", {"text": "x", "importance": 1.1}, 422, "invalid"),
        ("POST", f"{A}/memories", {"text": "x", "tags": ["t"] * 33}, 422, "invalid"),
        ("POST", f"{A}/memories", {"text": "x", "tags": [""]}, 400, "bad_request"),
        ("POST", f"{A}/memories", {"text": "x", "tags": ["t" * (MAX_TAG + 1)]}, 400, "bad_request"),
        ("POST", f"{A}/memories", {"text": "x", "timestamp": MAX_TIMESTAMP + 1}, 400, "bad_request"),
        ("POST", f"{A}/memories", {"content_base64": "/w==", "media_type": "text/plain"}, 400, "bad_request"),
        ("POST", f"{A}/memories", {"text": "\ud800"}, 422, "invalid"),
        ("POST", f"{A}/memories", {"text": "x", "tags": ["\ud800"]}, 422, "invalid"),
        ("POST", f"{A}/memories", {"text": "x", "media_type": "\ud800"}, 422, "invalid"),
        ("POST", f"{A}/memories", {"text": "x", "command_id": "mine"}, 400, "bad_request"),
        ("POST", f"{A}/memories", {"text": "x", "wait": 3600}, 422, "invalid"),
        ("POST", f"{A}/memories", {"text": "é" * (CONTENT_LIMIT // 2 + 1)}, 413, "too_large"),
        ("POST", f"{A}/memories", {"text": "x" * BODY_LIMIT}, 413, "too_large"),
        ("GET", "/v1/nowhere", None, 404, "not_found"),
        ("PUT", f"{A}/memories", {}, 405, "method_not_allowed"),
    ],
)
async def test_bad_requests_are_refused_in_one_shape(
    http: httpx.AsyncClient, world: World, method: str, path: str, body: Any, status: int, error: str
) -> None:
    content = None if body is None else json.dumps(body)
    refused(await http.request(method, path, content=content, headers={"content-type": "application/json"}), status, error)
    assert world.commands.sent == []


async def test_what_is_taken_at_the_limits_is_taken_by_the_memory_agent_too(http: httpx.AsyncClient, world: World) -> None:
    assert (CONTENT_LIMIT, TAGS_LIMIT) == (MAX_CONTENT, MAX_TAGS)
    body = {
        "text": "x" * CONTENT_LIMIT,
        "tags": ["t" * MAX_TAG] * TAGS_LIMIT,
        "timestamp": MAX_TIMESTAMP,
        "media_type": "t" * 128,
    }
    assert (await http.post(f"{A}/memories", json=body)).status_code == 201
    assert (await http.delete(f"{A}/memories/0x{bytes(32).hex()}")).status_code in {200, 202}
    assert [len(command_facts(command["agent"], command)) for command in world.commands.sent] == [1, 1]


async def test_undeclared_large_body_is_cut_off(http: httpx.AsyncClient) -> None:
    async def chunks() -> Any:
        for _ in range(BODY_LIMIT // 65_536 + 2):
            yield b" " * 65_536

    response = await http.post(f"{A}/query", content=chunks(), headers={"content-type": "application/json"})
    refused(response, 413, "too_large")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", f"{A}/sessions/import"),
        ("PATCH", f"{A}/memories/import"),
        ("PUT", f"{A}/import"),
        ("POST", f"{A}/sessions/import"),
        ("POST", "/v1/agents/a/b/import"),
        ("POST", "/import"),
    ],
)
async def test_only_the_route_of_packages_takes_large_bodies(http: httpx.AsyncClient, method: str, path: str) -> None:
    json_headers = {"content-type": "application/json"}
    refused(await http.request(method, path, content=b" " * (BODY_LIMIT + 1), headers=json_headers), 413, "too_large")
    raw = {"content-type": "application/octet-stream"}
    refused(await http.post(f"{A}/import", content=b" " * (BODY_LIMIT + 1), headers=raw), 400, "bad_request")


async def test_largest_content_is_taken(http: httpx.AsyncClient, world: World) -> None:
    assert (await http.post(f"{A}/memories", json={"text": "\x01" * CONTENT_LIMIT})).status_code == 201
    assert len(world.commands.sent[0]["content"]) == CONTENT_LIMIT


async def test_foreign_host_names_are_refused(http: httpx.AsyncClient) -> None:
    refused(await http.get("/livez", headers={"host": "evil.example"}), 400, "bad_request")
    assert (await http.get("/livez", headers={"host": "localhost:8080"})).status_code == 200
    assert (await http.get("/livez", headers={"host": "[::1]:8080"})).status_code == 200
    refused(
        await http.post(f"{A}/memories", json={"text": "x"}, headers={"origin": "https://evil.example"}), 400, "bad_request"
    )
    assert (await http.get("/livez", headers={"origin": "http://localhost:3000"})).status_code == 200


async def test_lagging_view_answers_nothing_but_503(http: httpx.AsyncClient, world: World) -> None:
    world.chain.stuck = True
    errors = sample("monmouth_errors_total", category="external", severity="high")
    for method, path, body in (
        ("POST", f"{A}/query", {"query": "x"}),
        ("GET", f"{A}/memories", None),
        ("GET", f"{A}/memories/0x{'11' * 32}", None),
        ("GET", f"{A}/root", None),
        ("GET", "/v1/chain", None),
    ):
        response = await http.request(method, path, json=body)
        refused(response, 503, "unavailable")
        assert response.headers["retry-after"] == "1"
    assert sample("monmouth_errors_total", category="external", severity="high") == errors + 5


async def test_closed_store_is_503_and_a_defect_500(http: httpx.AsyncClient, world: World) -> None:
    await world.memories.close()
    errors = sample("monmouth_errors_total", category="database", severity="high")
    body = refused(await http.get(f"{A}/memories"), 503, "database")
    assert "the store is closed" not in body["message"]
    assert sample("monmouth_errors_total", category="database", severity="high") == errors + 1
    world.commands.refusal = ValueError("/root/secret path")
    unknown = sample("monmouth_errors_total", category="unknown", severity="high")
    body = refused(await http.post(f"{A}/memories", json={"text": "x"}), 500, "internal")
    assert "secret" not in str(body)
    assert sample("monmouth_errors_total", category="unknown", severity="high") == unknown + 1


async def test_unacknowledged_command_is_not_counted(http: httpx.AsyncClient, world: World) -> None:
    world.commands.refusal = UnavailableError("the log did not acknowledge")
    stored = sample("monmouth_store_commands_total")
    refused(await http.post(f"{A}/memories", json={"text": "x"}), 503, "unavailable")
    assert sample("monmouth_store_commands_total") == stored


async def test_list_fills_up_when_the_newest_rows_are_of_unseen_blocks(http: httpx.AsyncClient, world: World) -> None:
    here, ahead = world.grow(), block(2, 0, world.blocks[-1].hash)
    await world.remember(*(upsert(ALICE, ahead, i, f"ahead {i}", timestamp=2_000) for i in range(100)))
    await world.remember(*(upsert(ALICE, here, i, f"here {i}", timestamp=1_000 - i) for i in range(5)))
    items = (await http.get(f"{A}/memories", params={"limit": 3})).json()["items"]
    assert [item["text"] for item in items] == ["here 0", "here 1", "here 2"]


async def test_generate_embedding(http: httpx.AsyncClient, world: World) -> None:
    answer = (await http.post("/v1/embeddings", json={"text": "swap eth"})).json()
    assert answer["vector"] == [float(value) for value in world.embedder.embed(["swap eth"])[0]]
    assert (answer["dimension"], answer["model"]) == (1_024, "fake")
    refused(await http.post("/v1/embeddings", json={"text": ""}), 422, "invalid")


async def test_parse_intent_of_a_transaction_as_a_node_prints_it(http: httpx.AsyncClient) -> None:
    recipient = "22" * 20
    transaction = {
        "from": "0x" + "11" * 20,
        "to": "0x" + "33" * 20,
        "value": "0x0",
        "input": "0xa9059cbb" + recipient.rjust(64, "0") + f"{5 * 10**18:064x}",
        "chainId": "0x539",
        "blockHash": None,
        "yParity": "0x1",
    }
    answer = (await http.post("/v1/intents", json=transaction)).json()
    assert (answer["intent"], answer["confidence"]) == ("transfer", 1.0)
    assert answer["method"] == "transfer(address,uint256)"
    assert recipient in str(answer["slots"]).lower()
    assert answer["tags"][0] == "transfer"
    features = answer["features"]
    assert (features["token_transfer"], features["complexity"], features["value_class"]) == (True, "simple", "zero")
    assert features["priority"] == priority("transfer", [5 * 10**18])
    unknown = (await http.post("/v1/intents", json={**transaction, "input": "0xdeadbeef01"})).json()
    assert (unknown["intent"], unknown["confidence"]) == ("unknown", 0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"from": "0x12"},
        {"to": "nobody"},
        {"value": "many"},
        {"value": -1},
        {"value": True},
        {"input": "0xzz"},
        {"logs": 7},
        {"logs": [{"address": "0x" + "11" * 20, "topics": ["0x00"]}]},
        {"value": "9" * 100},
        {"status": 1.5},
    ],
)
async def test_what_is_no_transaction_is_refused(http: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    good = {"from": "0x" + "11" * 20, "to": "0x" + "33" * 20, "value": "0x1"}
    assert (await http.post("/v1/intents", json=good)).status_code == 200
    refused(await http.post("/v1/intents", json={**good, **wrong}), 400, "bad_request")


async def test_openapi_names_the_operations(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/openapi.json")).json()["paths"]
    names = {operation["operationId"] for path in paths.values() for operation in path.values()}
    assert {"query_context", "store", "retrieve", "get", "forget", "root", "proof", "chain", "health"} <= names
    assert {"logs", "log", "log_entry", "log_consistency"} <= names


async def test_a_write_does_not_wait_for_the_head_of_the_chain(http: httpx.AsyncClient, world: World) -> None:
    """It is of no block: whether it is visible is for the store to say, and a store costs one round trip to the log."""
    world.chain.stuck, before = True, world.chain.barriers
    answer = await http.post(f"{A}/memories", json={"text": "likes tea"})
    assert (answer.status_code, answer.json()["visible"]) == (201, True)
    assert world.chain.barriers == before
    refused(await http.get(f"{A}/memories"), 503, "unavailable")
