"""A real anvil node filled with a chain of known size: one third transfers, two thirds calls that emit one log."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.broker.ports import free_port
from perf.measure import ROOT

ANVIL = "@foundry-rs/anvil@1.7.1"
NODE = ROOT / ".monmouth" / "node"
BINARY = NODE / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
TOPIC = "11" * 32
RUNTIME = f"7f{TOPIC}60006000a100"
INIT = f"60{len(RUNTIME) // 2:02x}600c60003960{len(RUNTIME) // 2:02x}6000f3{RUNTIME}"


def call(url: str, *requests: tuple[str, list[Any]]) -> list[Any]:
    """One JSON-RPC batch."""
    body = [{"jsonrpc": "2.0", "id": i, "method": m, "params": p} for i, (m, p) in enumerate(requests)]
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        answers = sorted(json.load(answer), key=lambda a: a["id"])
    if bad := [a for a in answers if "error" in a]:
        raise SystemExit(f"anvil refused: {bad[0]}")
    return [a["result"] for a in answers]


@contextmanager
def anvil(blocks: int = 0, transactions: int = 60) -> Iterator[str]:
    """Yields the URL of a node with ``blocks`` blocks of ``transactions`` transactions on top of the two set-up blocks."""
    if not BINARY.exists():
        NODE.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-save", ANVIL], cwd=NODE, check=True)
    port = free_port()
    argv = [str(BINARY), "--port", str(port), "--no-mining", "--silent", "--gas-limit", "60000000", "--order", "fifo"]
    node = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                call(url, ("eth_chainId", []))
                break
            except OSError:
                time.sleep(0.1)
        if blocks:
            fill(url, blocks, transactions)
        yield url
    finally:
        node.terminate()
        node.wait()


def fill(url: str, blocks: int, transactions: int) -> None:
    """Mines the chain."""
    accounts: list[str] = call(url, ("eth_accounts", []))[0]
    deploy = {"from": accounts[0], "data": "0x" + INIT, "gas": hex(200_000)}
    (created,) = call(url, ("eth_sendTransaction", [deploy]))
    call(url, ("evm_mine", []))
    contract = call(url, ("eth_getTransactionReceipt", [created]))[0]["contractAddress"]
    for _ in range(blocks):
        requests = []
        for i in range(transactions):
            sender, peer = accounts[i % len(accounts)], accounts[(i + 1) % len(accounts)]
            to, data = (peer, "0x") if i % 3 == 0 else (contract, "0xa9059cbb" + peer[2:].rjust(64, "0") + f"{i:064x}")
            requests.append(
                ("eth_sendTransaction", [{"from": sender, "to": to, "data": data, "value": "0x0", "gas": hex(60_000)}])
            )
        call(url, *requests)
        call(url, ("evm_mine", []))
