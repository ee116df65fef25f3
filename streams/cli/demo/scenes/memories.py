"""Memories that are stored, read back and proven; a replica that is brought to hold all of an agent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streams.cli.demo.course import Metrics, expect
from streams.cli.demo.system import System
from streams.serving.client import AsyncClient
from streams.serving.client_errors import GatewayError
from streams.serving.verify import ProofRefusedError
from streams.serving.wire import Receipt

WAIT = 20.0
ATTEMPTS = 20
PAUSE = 0.25


async def store_and_read(system: System, agents: Sequence[bytes], count: int) -> Metrics:
    """``count`` memories, each read back as it was and proven against a root read from the log. Raises CheckError."""
    async with system.async_client() as client:
        texts = [f"note {number}: keep {number * 7} percent of what comes in" for number in range(count)]
        whose = [agents[number % len(agents)] for number in range(count)]
        receipts = await asyncio.gather(
            *(client.store(agent, text, wait=WAIT, importance=0.7) for agent, text in zip(whose, texts, strict=True))
        )
        expect(all(receipt.visible for receipt in receipts), "a memory that was stored is not read within the time")
        for agent, text, receipt in zip(whose, texts, receipts, strict=True):
            found = await client.get(agent, receipt.memory_id)
            expect(found.text == text, f"{receipt.memory_id} reads as {found.text!r}, {text!r} was stored")
        proven = [await _proven(system, client, agent, receipt) for agent, receipt in zip(whose, receipts, strict=True)]
    expect(all(proven), f"{proven.count(False)} of {count} memories have no proof against the root in the log")
    return {"stored": count, "read back": count, "proven against the log": proven.count(True)}


async def _proven(system: System, client: AsyncClient, agent: bytes, receipt: Receipt) -> bool:
    """Tries again until the root that commits to the memory is in the log."""
    for _ in range(ATTEMPTS):
        root = system.seen.roots.get(agent)
        try:
            if root is not None:
                memory = await client.get(agent, receipt.memory_id)
                proof = await client.proof(agent, receipt.memory_id, memory, "0x" + root["merkle_root"].hex())
                if proof.present:
                    return True
        except (ProofRefusedError, GatewayError):
            pass
        await asyncio.sleep(PAUSE)
    return False


async def replicate(system: System, agents: Sequence[bytes]) -> Metrics:
    """Pages of all agents' memories, as a replica takes them. Raises CheckError unless a replica then holds what is live."""
    rows = 0
    async with system.async_client() as client:
        for agent in agents:
            page = await client.sync(agent, limit=50)
            held, live, root = {item.id for item in page.items}, set(page.live or ()), page.root.merkle_root
            while page.next is not None:
                page = await client.sync(agent, cursor=page.next, limit=50)
                expect(page.root.merkle_root == root, "the root changed between two pages at rest")
                held |= {item.id for item in page.items}
            expect(held >= live, f"a replica of 0x{agent.hex()} would lack {len(live - held)} of {len(live)} memories")
            rows += len(live)
    return {"agents synchronised": len(agents), "memories": rows}
