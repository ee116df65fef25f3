"""Confluent's REST API, call by call: status, error code, body; and who may do what."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from streams.core.registry.table import FIRST_FREE_ID
from streams.serving.app import create_app
from streams.serving.faults import UnavailableError
from streams.serving.gate import Gate
from streams.serving.registry.shape import MEDIA_TYPE, is_reading
from tests.identity import OPERATOR_TOKEN, bearer, member
from tests.unit.serving.world import World, client

ONE = FIRST_FREE_ID
R = "/registry"


def record(*fields: dict[str, Any], name: str = "R") -> str:
    return json.dumps({"type": "record", "name": name, "fields": list(fields)})


A = {"name": "a", "type": "long"}
B = {"name": "b", "type": "string"}
C = {"name": "c", "type": "string", "default": ""}


def basic(password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"who:{password}".encode()).decode()}


async def ask(http: httpx.AsyncClient, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    answer = await http.request(method, R + path, json=body)
    assert answer.headers["content-type"] == MEDIA_TYPE
    return answer.status_code, answer.json()


async def code(http: httpx.AsyncClient, method: str, path: str, body: Any = None) -> tuple[int, int]:
    status, found = await ask(http, method, path, body)
    assert found.keys() == {"error_code", "message"}
    return status, found["error_code"]


async def test_a_life_of_a_subject(world: World) -> None:
    async with client(world) as http:
        first, second = record(A), record(A, C)
        assert await ask(http, "GET", "/") == (200, {})
        assert await ask(http, "GET", "/subjects") == (200, [])
        assert await ask(http, "POST", "/subjects/s/versions", {"schema": first}) == (200, {"id": ONE})
        assert await ask(http, "POST", "/subjects/s/versions", {"schema": first}) == (200, {"id": ONE})
        assert await ask(http, "POST", "/subjects/other/versions", {"schema": first}) == (200, {"id": ONE})
        assert await ask(http, "POST", "/subjects/s/versions", {"schema": second, "schemaType": "AVRO"}) == (
            200,
            {"id": ONE + 1},
        )
        newest = {"subject": "s", "version": 2, "id": ONE + 1, "schema": second}
        for path in ("/subjects/s/versions/2", "/subjects/s/versions/latest", "/subjects/s/versions/-1"):
            assert await ask(http, "GET", path) == (200, newest)
        assert await ask(http, "POST", "/subjects/s", {"schema": second}) == (200, newest)
        assert await ask(http, "GET", "/subjects/s/versions") == (200, [1, 2])
        assert await ask(http, "GET", "/subjects/s/versions/1/schema") == (200, json.loads(first))
        assert await ask(http, "GET", f"/schemas/ids/{ONE}") == (200, {"schema": first})
        assert await ask(http, "GET", f"/schemas/ids/{ONE}/schema") == (200, json.loads(first))
        assert await ask(http, "GET", f"/schemas/ids/{ONE}/subjects") == (200, ["other", "s"])
        both = [{"subject": "other", "version": 1}, {"subject": "s", "version": 1}]
        assert await ask(http, "GET", f"/schemas/ids/{ONE}/versions") == (200, both)
        assert await ask(http, "GET", "/schemas/types") == (200, ["AVRO"])
        assert [one["version"] for one in (await ask(http, "GET", "/schemas?subjectPrefix=s"))[1]] == [1, 2]
        assert (await ask(http, "GET", "/schemas?latestOnly=true&subjectPrefix=s"))[1] == [newest]
        assert await ask(http, "GET", "/subjects?subjectPrefix=o") == (200, ["other"])

        assert await ask(http, "DELETE", "/subjects/s/versions/2") == (200, 2)
        assert await code(http, "GET", "/subjects/s/versions/2") == (404, 40402)
        assert await ask(http, "GET", "/subjects/s/versions/2?deleted=true") == (200, newest)
        assert await ask(http, "GET", f"/schemas/ids/{ONE + 1}") == (200, {"schema": second})
        assert await code(http, "DELETE", "/subjects/s/versions/2") == (404, 40406)
        assert await code(http, "DELETE", "/subjects/s/versions/1?permanent=true") == (404, 40407)
        assert await ask(http, "DELETE", "/subjects/s/versions/2?permanent=true") == (200, 2)
        assert await code(http, "GET", f"/schemas/ids/{ONE + 1}") == (404, 40403)
        assert await ask(http, "DELETE", "/subjects/s") == (200, [1])
        assert await code(http, "GET", "/subjects/s/versions") == (404, 40401)
        assert await ask(http, "GET", "/subjects") == (200, ["other"])
        assert await ask(http, "GET", "/subjects?deletedOnly=true") == (200, ["s"])
        assert await code(http, "DELETE", "/subjects/s") == (404, 40404)
        assert await ask(http, "DELETE", "/subjects/s?permanent=true") == (200, [1])
        assert await code(http, "DELETE", "/subjects/other?permanent=true") == (404, 40405)
        assert await ask(http, "POST", "/subjects/s/versions", {"schema": second}) == (200, {"id": ONE + 2}), "no id twice"


async def test_compatibility_is_demanded_by_level(world: World) -> None:
    async with client(world) as http:
        assert await ask(http, "GET", "/config") == (200, {"compatibilityLevel": "BACKWARD"})
        await ask(http, "POST", "/subjects/s/versions", {"schema": record(A)})
        status, body = await ask(http, "POST", "/subjects/s/versions", {"schema": record(A, B)})
        assert (status, body["error_code"]) == (409, 409)
        assert "READER_FIELD_MISSING_DEFAULT_VALUE" in body["message"]
        test = "/compatibility/subjects/s/versions"
        assert await ask(http, "POST", f"{test}/latest", {"schema": record(A, B)}) == (200, {"is_compatible": False})
        assert await ask(http, "POST", f"{test}/1", {"schema": record(A, C)}) == (200, {"is_compatible": True})
        assert await ask(http, "POST", test, {"schema": record()}) == (200, {"is_compatible": True})
        _, told = await ask(http, "POST", f"{test}/latest?verbose=true", {"schema": record(A, B)})
        assert not told["is_compatible"] and "field b has no default" in told["messages"][0]
        assert await code(http, "POST", f"{test}/7", {"schema": record(A)}) == (404, 40402)
        assert await code(http, "GET", "/config/s") == (404, 40408)
        assert await ask(http, "GET", "/config/s?defaultToGlobal=true") == (200, {"compatibilityLevel": "BACKWARD"})
        assert await code(http, "PUT", "/config/s", {"compatibility": "SIDEWAYS"}) == (422, 42203)
        assert await ask(http, "PUT", "/config/s", {"compatibility": "NONE"}) == (200, {"compatibility": "NONE"})
        assert (await ask(http, "POST", "/subjects/s/versions", {"schema": record(A, B)}))[0] == 200
        assert await ask(http, "DELETE", "/config/s") == (200, {"compatibilityLevel": "NONE"})
        assert await ask(http, "PUT", "/config", {"compatibility": "FULL"}) == (200, {"compatibility": "FULL"})
        assert (await ask(http, "POST", "/subjects/s/versions", {"schema": record(A, B, C)}))[0] == 200
        assert (await ask(http, "POST", "/subjects/s/versions", {"schema": record(B, C)}))[0] == 409, "forward too"


async def test_modes(world: World) -> None:
    async with client(world) as http:
        assert await ask(http, "GET", "/mode") == (200, {"mode": "READWRITE"})
        assert await code(http, "GET", "/mode/s") == (404, 40409)
        assert await code(http, "POST", "/subjects/s/versions", {"schema": record(A), "id": 7}) == (422, 42205)
        assert await ask(http, "PUT", "/mode/s", {"mode": "IMPORT"}) == (200, {"mode": "IMPORT"})
        assert await ask(http, "POST", "/subjects/s/versions", {"schema": record(A), "id": 7, "version": 3}) == (200, {"id": 7})
        assert await code(http, "POST", "/subjects/s/versions", {"schema": record(B), "id": 7}) == (422, 42205)
        assert await code(http, "PUT", "/mode/s", {"mode": "IMPORT"}) == (422, 42205)
        assert await ask(http, "PUT", "/mode/s", {"mode": "READONLY"}) == (200, {"mode": "READONLY"})
        assert await code(http, "POST", "/subjects/s/versions", {"schema": record(A, C)}) == (422, 42205)
        assert await code(http, "DELETE", "/subjects/s") == (422, 42205)
        assert await code(http, "PUT", "/mode/s", {"mode": "NO"}) == (422, 42204)
        assert await ask(http, "DELETE", "/mode/s") == (200, {"mode": "READONLY"})
        assert (await ask(http, "GET", "/subjects/s/versions/latest"))[1]["version"] == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "refused"),
    [
        ("POST", "/subjects/s/versions", {"schema": '{"type": "nothing"}'}, (422, 42201)),
        ("POST", "/subjects/s/versions", {"schema": "{"}, (422, 42201)),
        ("POST", "/subjects/s/versions", {"schema": ""}, (422, 42201)),
        ("POST", "/subjects/s/versions", {}, (422, 42201)),
        ("POST", "/subjects/s/versions", {"schema": "{}", "schemaType": "PROTOBUF"}, (422, 42201)),
        ("POST", "/subjects/s/versions", {"schema": '"int"', "references": [{"name": "x"}]}, (422, 42201)),
        ("POST", "/subjects/s/versions", {"schema": '"int"', "id": "7"}, (422, 42201)),
        ("POST", "/subjects/s/versions", ["no object"], (400, 400)),
        ("POST", "/subjects/:.ctx:s/versions", {"schema": '"int"'}, (422, 42208)),
        ("POST", "/subjects/none", {"schema": '"int"'}, (404, 40401)),
        ("POST", "/subjects/held", {"schema": '"string"'}, (404, 40403)),
        ("GET", "/subjects/none/versions", None, (404, 40401)),
        ("GET", "/subjects/held/versions/0", None, (422, 42202)),
        ("GET", "/subjects/held/versions/first", None, (422, 42202)),
        ("GET", "/subjects/held/versions/9", None, (404, 40402)),
        ("GET", "/schemas/ids/9", None, (404, 40403)),
        ("GET", "/schemas/ids/x", None, (404, 404)),
        ("DELETE", "/subjects/none", None, (404, 40401)),
        ("DELETE", "/subjects/none/versions/1", None, (404, 40401)),
        ("POST", "/compatibility/subjects/none/versions/1", {"schema": '"int"'}, (404, 40401)),
        ("GET", "/nowhere", None, (404, 404)),
        ("PATCH", "/subjects", None, (405, 405)),
    ],
)
async def test_refusals(world: World, method: str, path: str, body: Any, refused: tuple[int, int]) -> None:
    async with client(world) as http:
        await ask(http, "POST", "/subjects/held/versions", {"schema": '"int"'})
        assert await code(http, method, path, body) == refused


async def test_a_body_that_is_too_large_is_refused_in_the_registry_s_shape(world: World) -> None:
    async with client(world) as http:
        answer = await http.post(f"{R}/subjects/s/versions", content=b"x" * (600 * 1024))
        assert (answer.status_code, answer.json()["error_code"]) == (413, 413)


async def test_a_log_that_does_not_answer_is_said_with_the_store_s_code(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def late() -> None:
        raise UnavailableError("too late")

    monkeypatch.setattr(world.services.registry, "fresh", late)
    async with client(world) as http:
        assert await code(http, "GET", "/subjects") == (500, 50002)


async def test_on_this_machine_anybody_may_read_and_the_operator_alone_may_write(world: World) -> None:
    async with client(world) as http:
        await ask(http, "POST", "/subjects/s/versions", {"schema": record(A)})
        http.headers = httpx.Headers()
        assert await ask(http, "GET", "/subjects") == (200, ["s"])
        assert (await ask(http, "POST", "/subjects/s", {"schema": record(A)}))[0] == 200
        assert (await ask(http, "POST", "/compatibility/subjects/s/versions/1", {"schema": record(A)}))[0] == 200
        writes = [
            ("POST", "/subjects/s/versions"),
            ("DELETE", "/subjects/s"),
            ("DELETE", "/subjects/s/versions/1"),
            ("PUT", "/config"),
            ("DELETE", "/config/s"),
            ("PUT", "/mode/s"),
        ]
        for method, path in writes:
            answer = await http.request(method, R + path, json={"schema": record(A), "compatibility": "NONE"})
            assert (answer.status_code, answer.json()["error_code"]) == (401, 401)
        http.headers = httpx.Headers(bearer(world.token_of(member(3))))
        for method, path in writes:
            answer = await http.request(method, R + path, json={"schema": record(A), "compatibility": "NONE"})
            assert (answer.status_code, answer.json()["error_code"]) == (403, 403)
        http.headers = httpx.Headers(basic(OPERATOR_TOKEN))
        assert await ask(http, "PUT", "/config/s", {"compatibility": "NONE"}) == (200, {"compatibility": "NONE"})


async def test_from_other_machines_a_reader_shows_a_token_too(world: World) -> None:
    gate = Gate(OPERATOR_TOKEN, "10.0.0.7", world.tokens, world.access)
    object.__setattr__(world.services, "gate", gate)
    transport = httpx.ASGITransport(create_app(world.services, "10.0.0.7"))
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.7") as http:
        assert (await http.get(f"{R}/subjects")).status_code == 401
        agent = world.token_of(member(3))
        for headers in (bearer(agent), basic(agent), basic(OPERATOR_TOKEN)):
            assert (await http.get(f"{R}/subjects", headers=headers)).status_code == 200
        for headers in (basic("wrong" * 10), {"authorization": "Basic !"}, basic("")):
            assert (await http.get(f"{R}/subjects", headers=headers)).status_code == 401
        answer = await http.get("/v1/chain", headers=basic(OPERATOR_TOKEN))
        assert answer.status_code == 401, "a password opens the registry alone"


@pytest.mark.parametrize(
    ("method", "path", "reading"),
    [
        ("GET", "/registry/subjects", True),
        ("HEAD", "/registry/config", True),
        ("POST", "/registry/subjects/s", True),
        ("POST", "/registry/compatibility/subjects/s/versions/1", True),
        ("POST", "/registry/subjects/s/versions", False),
        ("POST", "/registry/subjects", False),
        ("PUT", "/registry/subjects/s", False),
        ("DELETE", "/registry/compatibility/subjects/s/versions/1", False),
    ],
)
def test_what_only_reads(method: str, path: str, *, reading: bool) -> None:
    assert is_reading(method, path) is reading
