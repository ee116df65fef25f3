"""A real anvil node with the rules of the development chain; the binary is that of the other node tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.chain.jsonrpc import JsonRpc
from infra.broker.ports import free_port
from streams.errors import SourceError
from tests.integration.node_fixtures import anvil_binary

__all__ = ["anvil", "anvil_binary"]

PATIENCE = 20.0


@pytest.fixture
async def anvil(anvil_binary: Path) -> AsyncIterator[JsonRpc]:
    """A client of an empty Prague chain with the development chain's id and no base fee to speak of."""
    port = free_port()
    options = ("--chain-id", "1337", "--hardfork", "prague", "--base-fee", "1", "--accounts", "1", "--silent")
    process = await asyncio.create_subprocess_exec(
        str(anvil_binary), "--host", "127.0.0.1", "--port", str(port), *options, stdout=asyncio.subprocess.DEVNULL
    )
    client = JsonRpc(f"http://127.0.0.1:{port}")
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await client.call("eth_chainId")
                    break
                except SourceError:
                    await asyncio.sleep(0.05)
        yield client
    finally:
        await client.close()
        process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE)
