"""The commands that correct memories, against a gateway over fakes."""

from __future__ import annotations

import asyncio
import json

from click.testing import CliRunner, Result

from streams.cli.memory import memory
from streams.serving.app import create_app
from streams.settings import Settings
from tests.identity import OPERATOR_TOKEN
from tests.unit.serving.served import served
from tests.unit.serving.world import ALICE, World

AGENT = "0x" + ALICE.hex()


def run(url: str, name: str, *arguments: str) -> Result:
    arguments = (name, AGENT, *arguments, "--gateway", url, "--wait", "0")
    return CliRunner().invoke(memory, arguments, obj=Settings(), env={"MONMOUTH_GATEWAY_TOKEN": OPERATOR_TOKEN})


async def test_memories_are_corrected_from_the_command_line() -> None:
    world = World()
    async with served(create_app(world.services)) as url:

        async def done(name: str, *arguments: str) -> str:
            result = await asyncio.to_thread(run, url, name, *arguments, "--json")
            assert result.exit_code == 0, result.output
            memory_id: str = json.loads(result.output)["memory_id"]
            return memory_id

        one, two, three = [await done("store", text) for text in ("lives in Rome", "likes tea", "loves tea")]
        newer = await done("supersede", one, "--text", "lives in Oslo")
        both = await done("merge", two, three, "--text", "likes tea a lot")
        await done("link", newer, both, "--relation", "explains", "--strength", "0.5")
        await done("invalidate", both, "--reason", "gave it up")
        assert [command["op"] for command in world.commands.sent[3:]] == ["SUPERSEDE", "MERGE", "LINK", "INVALIDATE"]
        shown = await asyncio.to_thread(run, url, "invalidate", newer)
        assert shown.exit_code == 0
        assert "0x" in shown.output
        for wrong in (("invalidate",), ("supersede", one), ("merge", one, "--text", ""), ("link", one, "0x12")):
            result = await asyncio.to_thread(run, url, *wrong)
            assert result.exit_code != 0
    world.close()
