"""``monmouth devchain`` as a process of its own: serves, advances, ends on Ctrl-C, says what is wrong."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest
from click.testing import CliRunner

from connectors.chain.devchain import DevChain, DevNode
from connectors.chain.rpc import RpcSource
from streams.cli.devchain import devchain

PATIENCE = 30.0


async def test_it_serves_until_interrupted() -> None:
    command = (sys.executable, "-u", "-m", "streams.cli", "devchain", "--port", "0", "--seed", "3", "--blocks", "6")
    process = await asyncio.create_subprocess_exec(
        *command, "--block-time", "0", "--txs", "3", "--reorgs", "3", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        lines = []
        while not lines or not lines[-1].startswith("stopped at block"):
            lines.append((await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode())
            assert lines[-1], lines
        url = lines[0].split()[1]
        assert any(line.startswith("reorg") for line in lines)
        source = RpcSource(url)
        head = await source.head()
        await source.close()
        assert f"stopped at block {head.number};" in lines[-1]
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 130
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_busy_port_is_named() -> None:
    async with DevNode(DevChain(1, transactions=0)) as node:
        port = node.url.rsplit(":", 1)[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "streams.cli", "devchain", "--port", port, stderr=asyncio.subprocess.PIPE
        )
        _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in errors.decode()
    assert "Take another port" in errors.decode()
    assert "Traceback" not in errors.decode()


@pytest.mark.parametrize("wrong", [["--port", "70000"], ["--txs", "-1"], ["--max-depth", "33"], ["--agents", "0"]])
def test_wrong_options_are_refused(wrong: list[str]) -> None:
    result = CliRunner().invoke(devchain, wrong)
    assert result.exit_code == 2
    assert "is not in the range" in result.output
