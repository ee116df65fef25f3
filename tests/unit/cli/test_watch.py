"""``monmouth watch``: changes as lines for people and programs, an end by count or by Ctrl-C, errors without a trace."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from click.testing import CliRunner, Result

from streams.cli.watch import watch
from streams.serving.app import create_app
from streams.serving.wire import Change
from streams.settings import Settings
from tests.identity import OPERATOR_TOKEN
from tests.unit.serving.feed.test_stream import Live, name
from tests.unit.serving.served import served
from tests.unit.serving.world import ALICE, World

AGENT = "0x" + ALICE.hex()
ENVIRONMENT = {"MONMOUTH_GATEWAY_TOKEN": OPERATOR_TOKEN, "COLUMNS": "400"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(watch, [AGENT, *arguments], obj=Settings(), env=ENVIRONMENT)


async def test_changes_as_lines_and_as_json() -> None:
    world = World()
    live = Live(world)
    (fact,) = await live.block("swapped [bold]eth[/] for dai")
    await live.block("voted yes")
    await live.undo(1)
    async with served(create_app(world.services)) as url:
        whole = await asyncio.to_thread(run, "--gateway", url, "--from-beginning", "-n", "4", "--json")
        assert whole.exit_code == 0, whole.output
        changes = [Change.model_validate_json(line) for line in whole.output.splitlines()]
        assert [change.type for change in changes] == ["memory.stored", "memory.stored", "memory.undone", "block.undone"]
        rest = await asyncio.to_thread(run, "--gateway", url, "--cursor", changes[1].cursor, "-n", "2", "--json")
        assert rest.output.splitlines() == whole.output.splitlines()[2:]
        shown = await asyncio.to_thread(run, "--gateway", url, "--from-beginning", "-n", "4")
        first, _, undone, off = shown.output.splitlines()
        assert changes[0].cursor in first
        assert "swapped [bold]eth[/] for dai" in first
        assert name(fact) in first
        assert "was stored" in undone
        assert "1 blocks off the chain, down to 1" in off
        filtered = await asyncio.to_thread(
            run, "--gateway", url, "--from-beginning", "--type", "block.undone", "-n", "1", "--json"
        )
        assert json.loads(filtered.output)["type"] == "block.undone"
    world.close()


async def test_ctrl_c_ends_it_at_once_and_a_wrong_cursor_before_it_begins() -> None:
    world = World()
    live = Live(world)
    async with served(create_app(world.services)) as url:
        command = [sys.executable, "-m", "streams.cli", "watch", AGENT, "--gateway", url, "--json"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=ENVIRONMENT
        )
        async with asyncio.timeout(20):
            while not world.feeds.open:
                await asyncio.sleep(0.02)
            await live.block("swapped eth")
            assert process.stdout is not None
            assert json.loads(await process.stdout.readline())["memory"]["text"] == "swapped eth"
            process.send_signal(signal.SIGINT)
            _, errors = await process.communicate()
        assert (process.returncode, errors.decode().strip()) == (130, "interrupted")
        wrong = await asyncio.create_subprocess_exec(
            *command, "--cursor", "nonsense", stderr=asyncio.subprocess.PIPE, env=ENVIRONMENT
        )
        _, errors = await wrong.communicate()
        assert wrong.returncode == 1
        assert "cursor 'nonsense' is not valid" in errors.decode()
        assert "Traceback" not in errors.decode()
    world.close()
