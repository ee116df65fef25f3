"""``monmouth mcp`` as a host of models runs it: a process, driven over stdin and stdout by the protocol's stock client."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client, MCPError, StdioServerParameters
from mcp_types import CallToolResult, TextContent, TextResourceContents

from streams.serving.app import create_app
from streams.serving.wire import CONTENT_LIMIT
from tests.identity import OPERATOR_TOKEN
from tests.steps import step_undo
from tests.unit.serving.served import served
from tests.unit.serving.world import ALICE, BOB, World, upsert

AGENT = "0x" + ALICE.hex()
TOOLS = {
    "query_context",
    "store_memory",
    "list_memories",
    "get_memory",
    "forget_memory",
    "supersede_memory",
    "merge_memories",
    "invalidate_memory",
    "link_memories",
    "prove_memory",
    "parse_intent",
    "agent_state",
    "agent_insights",
    "agent_neighbours",
    "chain_state",
    "query_shared",
    "open_session",
    "list_sessions",
    "store_in_session",
    "read_session",
    "query_session",
    "merge_sessions",
    "close_session",
}


@asynccontextmanager
async def stdio(url: str, *arguments: str, token: str = OPERATOR_TOKEN) -> AsyncIterator[Client]:
    """The stock client on a process of ours."""
    environment = {"MONMOUTH_GATEWAY_URL": url, "MONMOUTH_GATEWAY_TOKEN": token}
    command = ["-m", "streams.cli", "mcp", *arguments]
    process = StdioServerParameters(command=sys.executable, args=command, env=environment, cwd=Path.cwd())
    async with Client(process, read_timeout_seconds=30) as client:
        yield client


def told(result: CallToolResult) -> dict[str, Any]:
    """The structured answer, which must be the text's content too."""
    assert not result.is_error, result.content
    assert result.structured_content is not None
    first = result.content[0]
    assert isinstance(first, TextContent)
    assert json.loads(first.text) == result.structured_content
    return result.structured_content


def refused(result: CallToolResult, error: str) -> dict[str, Any]:
    """Checks the one shape of errors, and hands back the body."""
    assert result.is_error
    body = result.structured_content
    assert body is not None
    assert set(body) == {"error", "message", "hint"}
    assert body["error"] == error, body
    assert "Traceback" not in str(result.content)
    return body


async def test_a_model_remembers_finds_proves_and_forgets(world: World) -> None:
    async with (
        served(create_app(world.services)) as url,
        stdio(url, "--agent", AGENT) as model,
    ):
        tools = (await model.list_tools()).tools
        assert {tool.name for tool in tools} == TOOLS
        for tool in tools:
            Draft202012Validator.check_schema(tool.input_schema)
            assert tool.input_schema["additionalProperties"] is False
            assert tool.output_schema is not None
            Draft202012Validator.check_schema(tool.output_schema)
            assert len(tool.description or "") > 40
            assert tool.annotations is not None
        text = "prefers low slippage on swaps"
        stored = told(await model.call_tool("store_memory", {"content": text, "importance": 0.9, "tags": ["taste"]}))
        assert stored["visible"]
        memory_id = stored["memory_id"]
        await world.remember(upsert(ALICE, world.grow(), 0, "swapped eth for dai"))
        found = told(await model.call_tool("query_context", {"query": "swapped eth", "max_results": 3}))
        assert found["items"][0]["text"] == "swapped eth for dai"
        assert found["items"][0]["citation"]["block"]["number"] == 1
        listed = told(await model.call_tool("list_memories", {"tags": ["taste"]}))
        assert [item["id"] for item in listed["items"]] == [memory_id]
        one = told(await model.call_tool("get_memory", {"memory_id": memory_id}))
        assert (one["text"], one["importance"]) == (text, 0.9)
        root = await world.publish(ALICE)
        proven = told(await model.call_tool("prove_memory", {"memory_id": memory_id}))
        assert (proven["present"], proven["merkle_root"]) == (True, "0x" + root.merkle_root.hex())
        assert told(await model.call_tool("agent_state", {}))["count"] == 2
        assert told(await model.call_tool("chain_state", {}))["head"]["number"] == 1
        gone = told(await model.call_tool("forget_memory", {"memory_id": memory_id}))
        assert gone["visible"]
        refused(await model.call_tool("get_memory", {"memory_id": memory_id}), "not_found")


async def test_a_model_corrects_what_it_knows(world: World) -> None:
    async with served(create_app(world.services)) as url, stdio(url, "--agent", AGENT) as model:

        async def kept(content: str) -> str:
            memory_id: str = told(await model.call_tool("store_memory", {"content": content}))["memory_id"]
            return memory_id

        old, one, two = await kept("lives in Rome"), await kept("likes tea"), await kept("loves tea")
        newer = told(await model.call_tool("supersede_memory", {"memory_ids": [old], "content": "lives in Oslo"}))
        both = told(await model.call_tool("merge_memories", {"memory_ids": [one, two], "content": "likes tea a lot"}))
        link = {"source": newer["memory_id"], "target": both["memory_id"], "relation": "explains"}
        told(await model.call_tool("link_memories", link))
        told(await model.call_tool("invalidate_memory", {"memory_ids": [both["memory_id"]], "reason": "gave it up"}))
        assert [command["op"] for command in world.commands.sent[3:]] == ["SUPERSEDE", "MERGE", "LINK", "INVALIDATE"]
        refused(await model.call_tool("invalidate_memory", {"memory_ids": []}), "invalid")
        refused(await model.call_tool("supersede_memory", {"memory_ids": ["0x12"], "content": "x"}), "bad_request")
        refused(await model.call_tool("agent_insights", {}), "not_found")
        assert told(await model.call_tool("agent_neighbours", {}))["items"] == []


async def test_what_the_gateway_refuses_is_an_answer_with_the_names_of_rest(world: World) -> None:
    async with served(create_app(world.services)) as url, stdio(url) as model:
        refused(await model.call_tool("agent_state", {}), "bad_request")
        refused(await model.call_tool("agent_state", {"agent": "0x12"}), "bad_request")
        refused(await model.call_tool("list_memories", {"agent": AGENT, "limit": 0}), "invalid")
        refused(await model.call_tool("list_memories", {"agent": AGENT, "types": ["DREAM"]}), "invalid")
        refused(await model.call_tool("get_memory", {"agent": AGENT, "memory_id": "0x12"}), "bad_request")
        refused(await model.call_tool("store_memory", {"agent": AGENT, "content": "é" * CONTENT_LIMIT}), "too_large")
        refused(await model.call_tool("store_memory", {"agent": AGENT, "content": "x" * (CONTENT_LIMIT + 1)}), "invalid")
        unknown = refused(await model.call_tool("query_context", {"agent": AGENT, "query": "x", "topk": 3}), "invalid")
        assert "topk" in unknown["message"]
        assert "max_results" in unknown["hint"]
        assert "store_memory" in refused(await model.call_tool("delete_everything", {}), "not_found")["hint"]
        refused(await model.call_tool("parse_intent", {"transaction": {"from": "nobody"}}), "bad_request")
        assert world.commands.sent == []


async def test_nothing_of_another_agent_and_nothing_undone(world: World) -> None:
    base, ref = world.blocks[-1], world.grow()
    mine, other = upsert(ALICE, ref, 0, "swapped eth for dai"), upsert(BOB, ref, 1, "secret of bob")
    await world.remember(mine, other)
    async with (
        served(create_app(world.services)) as url,
        stdio(url, "--agent", AGENT) as model,
    ):
        refused(await model.call_tool("get_memory", {"memory_id": "0x" + other["memory_id"].hex()}), "not_found")
        assert told(await model.call_tool("query_context", {"query": "secret of bob"}))["items"] == []
        assert told(await model.call_tool("list_memories", {}))["items"] != []
        world.chain.pending.append(step_undo(2, [ref], base))
        assert told(await model.call_tool("list_memories", {}))["items"] == []


async def test_resources_and_the_prompt(world: World) -> None:
    fact = upsert(ALICE, world.grow(), 0, "swapped eth for dai")
    await world.remember(fact)
    await world.publish(ALICE)
    name = "0x" + fact["memory_id"].hex()
    async with (
        served(create_app(world.services)) as url,
        stdio(url, "--agent", AGENT) as model,
    ):
        templates = {template.uri_template for template in (await model.list_resource_templates()).resource_templates}
        assert templates == {"monmouth://agent/{agent}/memory/{memory_id}", "monmouth://agent/{agent}/state"}
        read = await model.read_resource(f"monmouth://agent/{AGENT}/memory/{name}")
        content = read.contents[0]
        assert isinstance(content, TextResourceContents)
        assert (content.mime_type, json.loads(content.text)["text"]) == ("application/json", "swapped eth for dai")
        state = (await model.read_resource(f"monmouth://agent/{AGENT}/state")).contents[0]
        assert isinstance(state, TextResourceContents)
        assert json.loads(state.text)["count"] == 1
        with pytest.raises(MCPError, match="not_found"):
            await model.read_resource(f"monmouth://agent/{AGENT}/memory/0x{'11' * 32}")
        with pytest.raises(MCPError, match="bad_request"):
            await model.read_resource("monmouth://agent/0x12/state")
        prompt = await model.get_prompt("answer_from_memory", {"question": "what was swapped for dai"})
        said = prompt.messages[0].content
        assert isinstance(said, TextContent)
        assert f"[{name}, block 1] swapped eth for dai" in said.text


async def test_no_gateway_is_an_answer_too_and_the_process_ends_with_its_host() -> None:
    async with stdio("http://127.0.0.1:9", "--agent", AGENT) as model:
        assert "monmouth gateway" in refused(await model.call_tool("chain_state", {}), "unreachable")["hint"]


async def test_a_wrong_token_opens_nothing(world: World) -> None:
    async with served(create_app(world.services)) as url, stdio(url, token="wrong") as model:
        refused(await model.call_tool("list_memories", {"agent": AGENT}), "unauthenticated")
        with pytest.raises(MCPError, match="unauthenticated"):
            await model.read_resource(f"monmouth://agent/{AGENT}/state")


async def run(*arguments: str, **environment: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "streams.cli",
        "mcp",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    _, errors = await process.communicate()
    return process.returncode, errors.decode()


async def test_a_token_file_that_others_can_read_and_a_wrong_agent_are_errors_before_anything_is_served(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("the-secret")
    file.chmod(0o644)
    code, errors = await run(MONMOUTH_GATEWAY_TOKEN_FILE=str(file))
    assert (code, "chmod 600" in errors, "the-secret" in errors) == (1, True, False)
    code, errors = await run(MONMOUTH_GATEWAY_TOKEN_FILE=str(tmp_path / "none"))
    assert (code, "cannot read the token" in errors) == (1, True)
    code, errors = await run("--agent", "0x12")
    assert (code, "40 hex digits" in errors, "Traceback" in errors) == (1, True, False)
    code, errors = await run(MONMOUTH_GATEWAY_TOKEN="two words")
    assert (code, "the token is not one" in errors, "two words" in errors) == (1, True, False)
