"""A real anvil node: ``find_anvil`` finds or fetches it, ``running_anvil`` runs a fresh chain; fixtures do the same.

Searched: MONMOUTH_ANVIL, the checkout's .monmouth/node, the PATH; else npm installs it there. Without npm the test
skips, or fails where CI is set.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.chain.jsonrpc import JsonRpc
from infra.broker.ports import free_port
from tests.availability import unavailable
from tests.conftest import ROOT

CACHE = ROOT / ".monmouth" / "node"
BINARY = CACHE / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
PACKAGE = "@foundry-rs/anvil@1.7.1"
CHAIN_ID = 31337
START_SECONDS = 20.0


class NoAnvilError(Exception):
    """It is not here and cannot be fetched."""


def _install() -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--prefix", str(CACHE), "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    subprocess.run(command, check=True, timeout=180, capture_output=True)


def find_anvil() -> Path:
    """Its program. Raises NoAnvilError."""
    named = os.environ.get("MONMOUTH_ANVIL") or (None if BINARY.is_file() else shutil.which("anvil"))
    if named:
        return Path(named)
    if not BINARY.is_file():
        if shutil.which("npm") is None:
            raise NoAnvilError("no anvil and no npm to fetch it; set MONMOUTH_ANVIL")
        try:
            _install()
        except subprocess.SubprocessError as error:
            raise NoAnvilError(f"anvil could not be fetched: {error}") from None
    return BINARY


@pytest.fixture(scope="session")
def anvil_binary() -> Path:
    try:
        return find_anvil()
    except NoAnvilError as error:
        unavailable(str(error))


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"anvil did not start: exit code {process.poll()}")


class Anvil:
    """One running node. ``http`` and ``ws`` are its addresses; calls go through ``rpc``."""

    def __init__(self, port: int) -> None:
        self.http = f"http://127.0.0.1:{port}"
        self.ws = f"ws://127.0.0.1:{port}"
        self.rpc = JsonRpc(self.http)
        self.accounts: list[str] = []

    async def send(self, count: int, value: int = 1) -> None:
        """Puts ``count`` transfers into the pool."""
        if not self.accounts:
            self.accounts = await self.rpc.call("eth_accounts")
        for index in range(count):
            sender, to = self.accounts[index % 5], self.accounts[5]
            await self.rpc.call("eth_sendTransaction", {"from": sender, "to": to, "value": hex(value), "gas": "0x5208"})

    async def mine(self, blocks: int, transactions: int = 1) -> None:
        """Mines ``blocks`` blocks of ``transactions`` transfers each."""
        for number in range(blocks):
            await self.send(transactions, value=number + 1)
            await self.rpc.call("evm_mine")

    async def hashes(self) -> list[str]:
        """Hashes of the canonical chain, from block 0."""
        head = int(await self.rpc.call("eth_blockNumber"), 16)
        answers = await self.rpc.batch([("eth_getBlockByNumber", [hex(n), False]) for n in range(head + 1)])
        return [answer["hash"] for answer in answers]


@contextmanager
def running_anvil(binary: Path) -> Iterator[int]:
    """A fresh chain that mines only when told to; its port."""
    port = free_port()
    command = [str(binary), "--host", "127.0.0.1", "--port", str(port), "--no-mining", "--order", "fifo", "--silent"]
    process = subprocess.Popen([*command, "--chain-id", str(CHAIN_ID)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port, process)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


@pytest.fixture
def anvil_port(anvil_binary: Path) -> Iterator[int]:
    with running_anvil(anvil_binary) as port:
        yield port


@pytest.fixture
async def anvil(anvil_port: int) -> Iterator[Anvil]:
    node = Anvil(anvil_port)
    yield node
    await node.rpc.close()
