"""Every door is shut until somebody shows a token, and opens to that one alone."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute, Mount
from starlette.types import Message

from streams.errors import ConfigurationError, MonmouthError
from streams.serving.app import create_app
from streams.serving.gate import HEALTH, LOCAL, OPEN, Authentication, Gate
from streams.serving.registry.shape import is_reading, is_registry
from tests.identity import OPERATOR_TOKEN, bearer
from tests.unit.serving.world import ALICE, World, client

A = f"/v1/agents/0x{ALICE.hex()}"


def doors(routes: list[BaseRoute], prefix: str = "") -> set[tuple[str, str]]:
    """Method and path of every route there is, those of mounted applications too."""
    found: set[tuple[str, str]] = set()
    for route in routes:
        path = prefix + getattr(route, "path", "")
        if (router := getattr(route, "original_router", None)) is not None:
            found |= doors(router.routes, path)
        elif isinstance(route, Mount):
            found |= doors(list(route.routes), path) | {("GET", path + "/")}
        else:
            found |= {(method, path) for method in getattr(route, "methods", None) or {"GET"}}
    return found


def fitting(path: str) -> str:
    """A path that the route takes."""
    return re.sub(r"\{[^}]+\}", "0x" + "11" * 20, path)


async def test_every_route_asks_who_is_there(world: World) -> None:
    app = create_app(world.services)
    routes = doors(list(app.routes))
    documented = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}
    assert documented <= routes, "routes that the walk did not find"
    open_ = OPEN | LOCAL | HEALTH
    shut = sorted((method, fitting(path)) for method, path in routes if path not in open_ and not schemas(method, path))
    for headers in ({}, bearer("wrong" * 10), {"authorization": f"Basic {OPERATOR_TOKEN}"}):
        async with client(world) as http:
            http.headers = httpx.Headers(headers)
            for method, path in [*shut, ("GET", "/v1/nowhere"), ("PATCH", A), ("GET", "//v1/chain"), ("GET", "/livez/x")]:
                answer = await http.request(method, path)
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), (method, path)
                if method != "HEAD" and not is_registry(path):
                    assert answer.json().keys() == {"error", "message", "hint"}
                    assert answer.json()["error"] == "unauthenticated"


def schemas(method: str, path: str) -> bool:
    """Whether it only reads the schema registry."""
    return is_registry(path) and is_reading(method, path)


async def test_what_stays_open(world: World) -> None:
    async with client(world) as http:
        http.headers = httpx.Headers()
        for path in ("/livez", "/readyz", "/ready", "/health", "/api/health", "/docs", "/openapi.json"):
            assert (await http.get(path)).status_code == 200
    gate = Gate(OPERATOR_TOKEN, "192.0.2.1")
    for path in ("/readyz", *HEALTH):
        assert await gate.admit("GET", path, None) is None
    for path in LOCAL:
        with pytest.raises(Exception, match="no token"):
            await gate.admit("GET", path, None)


async def test_a_wrong_token_is_the_same_answer_whether_the_agent_exists_or_not(world: World) -> None:
    async with client(world, "x" * 43) as http:
        names = (f"0x{ALICE.hex()}", "0x" + "99" * 20, "0x1")
        answers = {(await http.get(f"/v1/agents/{name}/memories")).text for name in names}
    assert len(answers) == 1


@pytest.mark.parametrize("token", ["", "x", OPERATOR_TOKEN[:-1], OPERATOR_TOKEN + "0", OPERATOR_TOKEN.upper(), "x" * 5_000])
async def test_only_the_whole_token_opens(world: World, token: str) -> None:
    async with client(world, token) as http:
        assert (await http.get("/v1/chain")).status_code == 401


async def test_a_socket_is_closed_before_it_opens() -> None:
    sent: list[Message] = []

    async def never(*_: Any) -> None:
        raise AssertionError("a stranger got through")

    async def send(message: Message) -> None:
        sent.append(message)

    gate = Authentication(never, Gate(OPERATOR_TOKEN))
    await gate({"type": "websocket", "path": "/v1/feed", "headers": []}, never, send)
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "no token"}]


async def test_doors_stand_open_on_this_machine_only() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        principal = await Gate(None, host).admit("GET", f"{A}/memories", None)
        assert principal is not None
        assert principal.agent is None
    for host in ("0.0.0.0", "::", "192.0.2.7", "gateway.example"):
        with pytest.raises(ConfigurationError, match=r"gateway\.auth is off"):
            Gate(None, host)


async def test_a_partner_sees_digests_and_nothing_else(world: World) -> None:
    token = "q" * 43
    gate = Gate(OPERATOR_TOKEN, tokens=world.tokens, access=world.access, partner_token=token)
    sent = f"Bearer {token}".encode()
    principal = await gate.admit("GET", "/v1/sync/checkpoints/3", sent)
    assert principal is not None
    assert not principal.may_act_for(ALICE)
    for path in (
        f"{A}/memories",
        "/v1/agents/0x",
        "/v1/chain",
        "/v1/logs",
        "/mcp",
        "/v1/synchronised",
        "/health/x",
        "/v1/cache",
    ):
        with pytest.raises(MonmouthError, match=r"does not open that|not valid"):
            await gate.admit("GET", path, sent)
    with pytest.raises(MonmouthError, match="the token is not valid"):
        await Gate(OPERATOR_TOKEN).admit("GET", "/v1/sync", sent)
