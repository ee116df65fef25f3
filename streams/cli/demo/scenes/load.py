"""Load: blocks at a rate, agents that ask and store meanwhile, commands one by one and together, records per transaction."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.cli.demo.course import Metrics, expect
from streams.cli.demo.scenes.chain import agreed
from streams.cli.demo.scrape import total
from streams.cli.demo.system import System
from streams.ranks import quantile
from streams.serving.client import AsyncClient

WAIT = 20.0
PAUSE = 0.05
"""Seconds between two questions of one agent."""


@dataclass(slots=True)
class _Asked:
    seconds: list[float] = field(default_factory=list)
    empty: int = 0


async def traffic(system: System, agents: Sequence[bytes], seconds: float, rate: float) -> Metrics:
    """``rate`` transactions a second for so long, while ``agents`` ask about their memories.

    Raises CheckError if a question had no answer, or if what came of it is not what an independent fold says.
    """
    before, blocks, worst = system.seen.transactions, system.seen.blocks, 0
    pause, began = system.chain.rules.transactions / rate, time.monotonic()
    asked, stop = _Asked(), asyncio.Event()
    async with system.async_client() as client, asyncio.TaskGroup() as group:
        for agent in agents:
            group.create_task(_ask(client, agent, asked, stop))
        due = began
        while time.monotonic() - began < seconds:
            due += pause
            system.advance()
            while time.monotonic() < due:
                await system.tick()
                worst = max(worst, system.lag())
        stop.set()
    await system.settle()
    took, grown = time.monotonic() - began, system.seen.transactions - before
    expect(asked.empty == 0, f"{asked.empty} of {len(asked.seconds)} questions found nothing")
    return {
        "blocks": system.seen.blocks - blocks,
        "transactions": grown,
        "transactions a second": grown / took,
        "questions": len(asked.seconds),
        "question p50 ms": 1000 * quantile(asked.seconds, 0.5),
        "question p99 ms": 1000 * quantile(asked.seconds, 0.99),
        "most steps behind": worst,
        **await agreed(system),
    }


async def _ask(client: AsyncClient, agent: bytes, asked: _Asked, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        began = time.monotonic()
        found = await client.query_context(agent, f"what did I do with number {number}?", 3, min_similarity=-1.0)
        asked.seconds.append(time.monotonic() - began)
        asked.empty += not found.items
        await asyncio.sleep(PAUSE)


async def burst(system: System, agents: Sequence[bytes], count: int) -> Metrics:
    """``count`` commands one after the other, then as many at once. Raises CheckError unless each leaves its memory, once."""
    async with system.async_client() as client:
        before = await _held(client, agents)
        began = time.monotonic()
        for number in range(count):
            await client.store(agents[number % len(agents)], f"one by one, number {number}", wait=WAIT)
        single = time.monotonic() - began
        began = time.monotonic()
        receipts = await asyncio.gather(
            *(client.store(agents[n % len(agents)], f"together, number {n}", wait=WAIT) for n in range(count))
        )
        together = time.monotonic() - began
        expect(all(receipt.visible for receipt in receipts), "a memory that was stored is not read within the time")
        grown = await _held(client, agents) - before
    expect(grown == 2 * count, f"{grown} memories more are held, {2 * count} were stored")
    return {"stored": 2 * count, "one by one a second": count / single, "together a second": count / together}


async def _held(client: AsyncClient, agents: Sequence[bytes]) -> int:
    return sum([len((await client.retrieve(agent, limit=1_000)).items) for agent in agents])


async def batches(system: System, blocks: int, workers: Sequence[str]) -> Metrics:
    """Records in one transaction of a stream agent: of blocks that come one by one, and of as many that have piled up.

    ``workers``: all there are; they are away meanwhile. Raises CheckError unless what waits is taken in larger batches.
    """
    records, commits = await _committed(system)
    for _ in range(blocks):
        system.advance()
        await system.settle()
    single = await _since(system, records, commits)
    for name in workers:
        await asyncio.to_thread(system.children.end, name)
    sequence = system.seen.sequence
    system.advance(blocks)
    while system.seen.sequence < sequence + blocks:
        await system.tick()
    for name in workers:
        system.start_worker(name)  # which counts from nothing
    await system.settle()
    together = await _since(system, 0, 0)
    expect(together > single, f"{together:.1f} records a transaction of blocks that piled up, {single:.1f} of single ones")
    return {"blocks": 2 * blocks, "records a transaction, one by one": single, "records a transaction, piled up": together}


async def _committed(system: System) -> tuple[float, float]:
    return await total(system, "runtime_records_total"), await total(system, "runtime_commits_total")


async def _since(system: System, records: float, commits: float) -> float:
    now, done = await _committed(system)
    expect(done > commits, "no stream agent committed anything")
    return (now - records) / (done - commits)
