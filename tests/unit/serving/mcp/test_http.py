"""``/mcp`` of a gateway, driven over HTTP by the protocol's stock client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from streams.serving.app import create_app
from streams.serving.limits import BODY_LIMIT
from tests.identity import OPERATOR_TOKEN, bearer
from tests.unit.serving.mcp.test_stdio import AGENT, TOOLS, refused, told
from tests.unit.serving.served import served
from tests.unit.serving.world import ALICE, World, upsert

Mode = Literal["auto", "legacy"]
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "chain_state", "arguments": {}}}
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}


@asynccontextmanager
async def over_http(url: str, mode: Mode = "auto", token: str = OPERATOR_TOKEN) -> AsyncIterator[Client]:
    """The stock client on the gateway's address."""
    async with (
        httpx2.AsyncClient(headers=bearer(token), timeout=30) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode, read_timeout_seconds=30) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_model_stores_finds_and_is_refused_over_http(world: World, mode: Mode) -> None:
    async with served(create_app(world.services)) as url, over_http(url, mode) as model:
        assert {tool.name for tool in (await model.list_tools()).tools} == TOOLS
        stored = told(await model.call_tool("store_memory", {"agent": AGENT, "content": "prefers ETH"}))
        assert (
            told(await model.call_tool("get_memory", {"agent": AGENT, "memory_id": stored["memory_id"]}))["text"]
            == "prefers ETH"
        )
        await world.remember(upsert(ALICE, world.grow(), 0, "swapped eth for dai"))
        found = told(await model.call_tool("query_context", {"agent": AGENT, "query": "swapped eth"}))
        assert found["items"][0]["text"] == "swapped eth for dai"
        refused(await model.call_tool("agent_state", {}), "bad_request")
        refused(await model.call_tool("get_memory", {"agent": AGENT, "memory_id": "0x" + "11" * 32}), "not_found")
        refused(await model.call_tool("list_memories", {"agent": AGENT, "limit": 5_000}), "invalid")
        refused(await model.call_tool("no_such_tool", {}), "not_found")
        assert (await model.read_resource(f"monmouth://agent/{AGENT}/memory/{stored['memory_id']}")).contents


async def test_many_models_at_once(world: World) -> None:
    async with served(create_app(world.services)) as url:

        async def one(number: int) -> str:
            async with over_http(url) as model:
                receipt = told(await model.call_tool("store_memory", {"agent": AGENT, "content": f"fact {number}"}))
                memory_id: str = receipt["memory_id"]
                assert (
                    told(await model.call_tool("get_memory", {"agent": AGENT, "memory_id": memory_id}))["text"]
                    == f"fact {number}"
                )
                return memory_id

        assert len(set(await asyncio.gather(*map(one, range(8))))) == 8


async def test_no_token_no_tool_and_none_of_the_gateways_own(world: World) -> None:
    async with served(create_app(world.services)) as url, httpx.AsyncClient() as http:
        for headers in ({}, bearer("wrong" * 10), {"authorization": f"Basic {OPERATOR_TOKEN}"}):
            answer = await http.post(f"{url}/mcp", json=CALL, headers=HEADERS | headers)
            assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")
        answer = await http.post(f"{url}/mcp", json=CALL, headers=HEADERS | bearer(OPERATOR_TOKEN))
        assert answer.json()["result"]["structuredContent"]["head"]["number"] == 0


async def test_what_http_itself_refuses(world: World) -> None:
    async with served(create_app(world.services)) as url, httpx.AsyncClient(headers=HEADERS | bearer(OPERATOR_TOKEN)) as http:
        assert (await http.get(f"{url}/mcp")).status_code == 405
        assert (await http.post(f"{url}/mcp", content=b"x" * (BODY_LIMIT + 1))).json()["error"] == "too_large"
        assert (await http.post(f"{url}/mcp", json=CALL, headers={"host": "evil.example"})).status_code == 400
        assert (await http.post(f"{url}/mcp", json=CALL, headers={"origin": "https://evil.example"})).status_code == 400
        garbage = await http.post(f"{url}/mcp", content=b"{", headers={"content-type": "application/json"})
        assert garbage.status_code == 400
        assert "Traceback" not in garbage.text


async def test_before_it_runs_it_says_so(world: World) -> None:
    transport = httpx.ASGITransport(create_app(world.services))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=bearer(OPERATOR_TOKEN)) as http:
        answer = await http.post("/mcp", json=CALL, headers=HEADERS)
        assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
