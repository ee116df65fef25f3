"""Milliseconds from a block at the node to its memories in the memory store, live, without embedding.

    .venv/bin/python -m perf.live [--blocks 200] [--transactions 20]

From the moment the node has mined a block (its answer to evm_mine) until another process reads the memories of all its
transactions from the store. Blocks come one after the other, half a second apart.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from connectors.stores import open_memory_store
from perf.node import call
from perf.pipeline import Pipeline, mine, pipeline, until, watching
from streams.agents.memory_facts import HAPPENED
from streams.core.ids import chain_memory_id
from streams.ports.stores import MemoryStore
from streams.ranks import quantile

GOAL = 0.5
INTERVAL = 0.5


async def measure(line: Pipeline, blocks: int, transactions: int) -> list[float]:
    """Seconds of each block."""
    line.producer()
    line.worker()
    seconds: list[float] = []
    chain_id = int(call(line.node, ("eth_chainId", []))[0], 16)
    async with watching(line.settings) as watch:
        mine(line.node, 3, transactions)
        await until(lambda: all(watch.passed(key, 3) is not None for key in line.shares()), "first blocks through")
    store = open_memory_store(line.settings)
    try:
        for _ in range(blocks):
            block = await asyncio.to_thread(_mined, line.node, transactions)
            seconds.append(await _visible(store, chain_id, block))
            await asyncio.sleep(INTERVAL)
    finally:
        await store.close()
    return seconds


def _mined(node: str, transactions: int) -> tuple[float, Any]:
    """When the node had the block, and the block."""
    accounts = call(node, ("eth_accounts", []))[0]
    send = [
        ("eth_sendTransaction", [{"from": accounts[i % 10], "to": accounts[9 - i % 10], "value": "0x1", "gas": hex(21_000)}])
        for i in range(transactions)
    ]
    call(node, *send)
    call(node, ("evm_mine", []))
    when = time.perf_counter()
    return when, call(node, ("eth_getBlockByNumber", ["latest", True]))[0]


async def _visible(store: MemoryStore, chain_id: int, mined: tuple[float, Any]) -> float:
    """Waits until the block's memories are there."""
    when, block = mined
    due = [_memory(chain_id, block, tx) for tx in block["transactions"]]
    while time.perf_counter() - when < 30:
        due = [(agent, memory) for agent, memory in due if (await store.get(agent, [memory]))[0] is None]
        if not due:
            return time.perf_counter() - when
        await asyncio.sleep(0.002)
    raise SystemExit(f"block {int(block['number'], 16)} did not reach the store within 30 s")


def _memory(chain_id: int, block: Any, tx: Any) -> tuple[bytes, bytes]:
    agent = bytes.fromhex(tx["from"][2:])
    index = int(tx["transactionIndex"], 16)
    return agent, chain_memory_id(chain_id, bytes.fromhex(block["hash"][2:]), index, agent, HAPPENED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=200)
    parser.add_argument("--transactions", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, pipeline(Path(scratch), "intent", "memory", "lattice") as line:
        seconds = asyncio.run(measure(line, args.blocks, args.transactions))
    p50, p99 = quantile(seconds, 0.5), quantile(seconds, 0.99)
    print(f"\nlive block to memory store, {args.transactions} transactions a block, {len(seconds)} blocks")
    print(f"  p50 {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms; goal p99 {1000 * GOAL:.0f} ms: {p99 / GOAL:.2f} of it")


if __name__ == "__main__":
    main()
