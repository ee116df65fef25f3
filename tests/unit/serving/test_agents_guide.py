"""Runs the examples of docs/agents.md against a gateway."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from streams.serving.app import create_app
from streams.serving.mcp.session_tools import SessionTools
from streams.serving.mcp.tools import Tools
from streams.serving.wire import CHANGE_TYPES
from tests.identity import OPERATOR_TOKEN
from tests.serving_fakes import fact_of
from tests.unit.serving.mcp.test_stdio import told
from tests.unit.serving.served import served
from tests.unit.serving.world import World

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "agents.md").read_text()
NOBODY: Any = None
ADDRESS = "http://127.0.0.1:8080"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
async def test_rest(world: World) -> None:
    _, commands = blocks("sh")
    async with served(create_app(world.services)) as url:
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-ec",
            commands.replace("--json", "-H content-type:application/json -d"),  # which older curls do not know
            env={**os.environ, "MONMOUTH_GATEWAY_URL": url, "TOKEN": OPERATOR_TOKEN},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        receipt, _, end = out.decode().partition("}{")
        assert json.loads(receipt + "}")["visible"] is True
        assert json.loads("{" + end)["agent"] == "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"


async def test_python_and_the_feed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    first, _, second = blocks("python")
    async with served(create_app(world.services)) as url:
        names: dict[str, Any] = {"token": OPERATOR_TOKEN}
        await asyncio.to_thread(exec, first.replace(ADDRESS, url), names)
        assert "not_found" in capsys.readouterr().out
        world.facts.command(fact_of(world.commands.sent[0]))

        async def agent() -> None:
            while len(world.commands.sent) < 3:
                await asyncio.sleep(0.02)
            world.facts.command(fact_of(world.commands.sent[2]))

        await asyncio.gather(agent(), asyncio.to_thread(exec, second.replace(ADDRESS, url), names))
        gone, stored = capsys.readouterr().out.splitlines()
        assert gone.endswith("memory.stored (gone)")
        assert stored.endswith("memory.stored swapped 2 ETH for DAI")


async def test_the_settings_of_a_host(world: World, tmp_path: Path) -> None:
    (settings,) = blocks("json")
    server = json.loads(settings)["mcpServers"]["monmouth"]
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(OPERATOR_TOKEN)
    async with served(create_app(world.services)) as url:
        process = StdioServerParameters(
            command=str(Path(sys.executable).with_name(server["command"])),
            args=server["args"],
            env={**server["env"], "MONMOUTH_GATEWAY_URL": url, "MONMOUTH_GATEWAY_TOKEN_FILE": str(token)},
        )
        async with Client(process, read_timeout_seconds=30) as model:
            assert told(await model.call_tool("list_memories", {}))["agent"] == server["args"][-1]


async def test_the_facades(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    _, example, _ = blocks("python")
    agent = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
    async with served(create_app(world.services)) as url:
        names: dict[str, Any] = {"token": OPERATOR_TOKEN, "agent": agent}
        await asyncio.to_thread(exec, example.replace(ADDRESS, url), names)
    filtered, relevant, intent = capsys.readouterr().out.splitlines()
    assert filtered == relevant == "['prefers ETH over DAI']"
    assert intent


def test_every_tool_and_event_is_named() -> None:
    tools = [method.__name__ for kind in (Tools, SessionTools) for method, _ in kind(NOBODY, None).all()]
    assert all(f"`{name}`" in GUIDE for name in [*tools, *CHANGE_TYPES])
