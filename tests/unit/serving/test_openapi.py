"""The OpenAPI document: valid, complete, true of the routes, and covered by both clients."""

from __future__ import annotations

import inspect
import json
from typing import Any

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from jsonschema import Draft202012Validator

from streams.cli import main
from streams.serving.app import create_app
from streams.serving.client import AsyncClient, Client
from streams.serving.described import REQUESTS, openapi_document
from streams.serving.faults import RateLimitedError
from streams.serving.gate import OPEN
from streams.serving.graph.client import AsyncGraph, Graph
from tests.unit.serving.world import World

DOCUMENT = openapi_document()
OPERATIONS = [(path, method, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()]
METHODS = {"livez": "live", "readyz": "ready"}
"""Client methods that are not called like their operation."""
NAMES = [operation["operationId"] for _, _, operation in OPERATIONS]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that stands by itself."""
    return {**schema, "components": DOCUMENT["components"]}


def test_operations_have_names_of_their_own() -> None:
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_every_operation_is_described(path: str, method: str, operation: dict[str, Any]) -> None:
    assert len(operation["summary"]) > 10
    assert operation["description"]
    assert operation["tags"]
    for parameter in operation.get("parameters", []):
        assert parameter.get("description"), f"parameter {parameter['name']} is not described"
        Draft202012Validator.check_schema(parameter["schema"])
    responses = operation["responses"]
    assert any(status.startswith("2") for status in responses)
    for response in responses.values():
        assert response["description"]
        schema = response["content"]
        for content in schema.values():
            Draft202012Validator.check_schema(resolved(content["schema"]))
    expected = {"500", "503"} if path in OPEN else {"401", "403", "500", "503"}
    assert expected <= set(responses)
    for status in expected - {"503"}:
        assert responses[status]["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorBody")
        assert "`" in responses[status]["description"], "the names of its errors"
    assert bool(operation["security"]) is (path not in OPEN)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_both_clients_have_a_method_for_it(path: str, method: str, operation: dict[str, Any]) -> None:
    name = METHODS.get(operation["operationId"], operation["operationId"])
    for client, graph in ((Client, Graph), (AsyncClient, AsyncGraph)):
        owner, _, rest = (graph, "", name.removeprefix("graph_")) if name.startswith("graph_") else (client, "", name)
        assert callable(getattr(owner, rest, None)), f"{owner.__name__} lacks {rest}"


@pytest.mark.parametrize(("one", "other"), [(Client, AsyncClient), (Graph, AsyncGraph)])
def test_the_clients_do_not_differ(one: type, other: type) -> None:
    def public(kind: type) -> dict[str, list[inspect.Parameter]]:
        methods = inspect.getmembers(kind, inspect.isfunction)
        return {
            name: list(inspect.signature(method).parameters.values()) for name, method in methods if not name.startswith("_")
        }

    assert public(one) == public(other)
    for name in public(one):
        asynchronous = getattr(other, name)
        assert inspect.iscoroutinefunction(asynchronous) or inspect.isasyncgenfunction(asynchronous)


def test_examples_are_what_the_schemas_take() -> None:
    bodies = {operation["operationId"]: operation for _, _, operation in OPERATIONS if "requestBody" in operation}
    assert set(REQUESTS) <= set(bodies)
    for name, example in REQUESTS.items():
        content = bodies[name]["requestBody"]["content"]["application/json"]
        assert content["example"] == example
        Draft202012Validator(resolved(content["schema"])).validate(example)


async def test_examples_are_taken_by_the_routes(http: httpx.AsyncClient) -> None:
    for path, method, operation in OPERATIONS:
        if (example := REQUESTS.get(operation["operationId"])) is not None:
            answer = await http.request(method, path.replace("{agent}", "0x" + "a1" * 20), json=example)
            assert answer.is_success, answer.text
            assert str(answer.status_code) in operation["responses"]


def test_what_a_refusal_says_of_itself_is_in_the_document() -> None:
    (watch,) = [operation for _, _, operation in OPERATIONS if operation["operationId"] == "watch"]
    assert RateLimitedError.error in watch["responses"]["429"]["description"]
    assert "Retry-After" in watch["responses"]["429"]["headers"]
    assert "text/event-stream" in watch["responses"]["200"]["content"]


async def test_the_gateway_and_the_command_give_the_same_document(
    http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["openapi"]) == 0
    assert json.loads(capsys.readouterr().out) == (await http.get("/openapi.json")).json() == DOCUMENT


def test_the_document_as_a_whole() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert DOCUMENT["info"]["title"]
    text = json.dumps(DOCUMENT)
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(resolved(schema))
        assert f"#/components/schemas/{name}" in text, f"nothing refers to {name}"
    missing = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]} - set(DOCUMENT["components"]["schemas"])
    assert not missing


def test_no_request_waits_for_a_thread(world: World) -> None:
    """FastAPI runs what is not asynchronous in a thread: each such dependency or endpoint costs two switches a request."""
    plain = set()

    def walk(dependant: Dependant) -> None:
        call = dependant.call
        if call is not None and not inspect.iscoroutinefunction(call) and not inspect.iscoroutinefunction(type(call).__call__):
            plain.add(getattr(call, "__qualname__", repr(call)))
        for needed in dependant.dependencies:
            walk(needed)

    routes = [context.route for context in iter_route_contexts(create_app(world.services).routes)]
    apis = [route for route in routes if isinstance(route, APIRoute)]
    assert len(apis) > 50
    for route in apis:
        walk(route.dependant)
    assert not plain
