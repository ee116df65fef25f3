"""The ten groups. Each takes a running system and a size, and gives rows; a wrong answer ends the run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from perf.groups.limits import broker_alone, http_alone, write_alone
from perf.groups.rows import CONTENT_LIMIT, Row, Size, timed
from streams.cli.demo.course import expect
from streams.cli.demo.scenes import chain, faults, messages, monitoring, workflow
from streams.cli.demo.scrape import scrape
from streams.cli.demo.system import System

MESSAGE_TARGET, STATE_TARGET, WORKFLOW_TARGET = 5.0, 25.0, 100.0
AT_ONCE = 16
SECONDS = 60.0
Group = Callable[[System, Size], Awaitable[list[Row]]]


def _agent(system: System, number: int) -> bytes:
    return system.chain.agents[number % len(system.chain.agents)]


async def communication(system: System, size: Size) -> list[Row]:
    """A question over exex.messages and its signed answer, one after the other."""
    limit = await broker_alone(system, 1_024, 2)
    async with messages.component(system) as one:
        seconds, wall = await timed(size.messages, lambda n: one.ask("CheckpointRequest", _agent(system, n), seconds=SECONDS))
    return [Row("question and answer by message", seconds, wall, ("two trips through the broker", limit), MESSAGE_TARGET)]


async def retrieval(system: System, size: Size) -> list[Row]:
    """A question never asked before, and an embedding alone."""
    limit = await http_alone(system)
    async with system.async_client(SECONDS) as client:

        async def ask(number: int) -> None:
            found = await client.query_context(_agent(system, number), f"what of {number}?", 10, min_similarity=-1.0)
            expect(bool(found.items), "a question found nothing")

        rows = [Row("question, cold", *await timed(size.messages, ask), ("HTTP alone", limit))]
        embedding = await timed(size.messages, lambda n: client.generate_embedding(f"text {n} of its own"))
    return [*rows, Row("embedding", *embedding, ("HTTP alone", limit))]


async def memory(system: System, size: Size) -> list[Row]:
    """A memory acknowledged by the log, read back, and seen by reads."""
    write, http = await write_alone(system, min(size.size, CONTENT_LIMIT)), await http_alone(system)
    async with system.async_client(SECONDS) as client:
        receipts: list[Any] = []

        async def store(number: int) -> None:
            receipts.append(await client.store(_agent(system, number), size.text(number)))

        stored = await timed(size.messages, store)
        shown = await timed(size.few, lambda n: client.store(_agent(system, n), f"shown {n}", wait=SECONDS / 2))
        last = receipts[-1]
        await client.agent_state(_agent(system, size.messages - 1), wait_for=last.write_token, wait=SECONDS / 2, limit=1)

        async def read(number: int) -> None:
            found = await client.get(
                _agent(system, number), receipts[number].memory_id, wait=SECONDS / 2, wait_for=receipts[number].write_token
            )
            expect(found.text == size.text(number), "a memory reads as something else")

        reads = await timed(size.messages, read)
    return [
        Row("memory in the log", *stored, ("a write to the broker", write)),
        Row("memory that reads show", *shown, ("a write to the broker", write)),
        Row("memory read", *reads, ("HTTP alone", http)),
    ]


async def sync(system: System, size: Size) -> list[Row]:
    """An agent's state with its root, whether a root is its own, and a page for a replica."""
    limit = await http_alone(system)
    async with system.async_client(SECONDS) as client:
        roots = {agent: (await client.root(agent)).merkle_root for agent in system.chain.agents[: size.messages]}

        async def verify(number: int) -> None:
            agent = system.chain.agents[number % len(roots)]
            expect((await client.verify_state(agent, roots[agent])).matches, "a root is said to be another agent's")

        state = await timed(size.messages, lambda n: client.agent_state(_agent(system, n), limit=10))
        verified = await timed(size.messages, verify)
        pages = await timed(size.messages, lambda n: client.sync(_agent(system, n), limit=50))
    return [
        Row("state with its lattice hash", *state, ("HTTP alone", limit), STATE_TARGET),
        Row("hash verified", *verified, ("HTTP alone", limit), STATE_TARGET),
        Row("page for a replica", *pages, ("HTTP alone", limit)),
    ]


async def caching(system: System, size: Size) -> list[Row]:
    """Equal questions again, beside the same asked first."""
    async with system.async_client(SECONDS) as client:

        async def ask(number: int) -> object:
            return await client.query_context(_agent(system, number), f"what do I keep of {number}?", 10)

        before = (await client.cache()).events
        cold = await timed(size.messages, ask)
        again = await timed(size.messages, ask)
        after = (await client.cache()).events
    hits = sum(after.get(name, 0) - before.get(name, 0) for name in ("l1_hit", "l2_hit"))
    return [Row(f"question again, {hits} of {size.messages} hits", *again, ("the same question first", cold[0]))]


async def throughput(system: System, size: Size) -> list[Row]:
    """Messages and commands, many at once; blocks through all stream agents."""
    trip, write = await broker_alone(system, 1_024, 2), await write_alone(system, min(size.size, CONTENT_LIMIT))
    async with messages.component(system) as one, system.async_client(SECONDS) as client:
        asked = await _together(size.messages, lambda n: one.ask("CheckpointRequest", _agent(system, n), seconds=SECONDS))
        stored = await _together(size.messages, lambda n: client.store(_agent(system, n), size.text(n)))
    blocks = await timed(size.few, lambda _: chain.blocks(system, 4))
    return [
        Row(f"messages, {AT_ONCE} at once", *asked, ("two trips through the broker", trip), MESSAGE_TARGET),
        Row(f"memories, {AT_ONCE} at once", *stored, ("a write to the broker", write)),
        Row("four blocks in all stream agents", *blocks, ("two trips through the broker", trip)),
    ]


async def _together(count: int, call: Callable[[int], Awaitable[object]]) -> tuple[list[float], float]:
    room, seconds = asyncio.Semaphore(AT_ONCE), []

    async def one(number: int) -> None:
        async with room:
            began = time.perf_counter()
            await call(number)
            seconds.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*map(one, range(count)))
    return seconds, time.perf_counter() - began


async def errors(system: System, size: Size) -> list[Row]:
    """A record that nobody can read, set aside, with a memory behind it that reads show; a memory alone beside it."""
    async with system.async_client(SECONDS) as client:
        alone = await timed(size.few, lambda n: client.store(_agent(system, n), f"alone {n}", wait=SECONDS / 2))
    poison = await timed(size.few, lambda n: faults.dead_letter(system, _agent(system, n)))
    return [Row("unreadable record set aside", *poison, ("a memory that reads show", alone[0]))]


async def watching(system: System, size: Size) -> list[Row]:
    """Pages of metrics, health, and the dashboard as a file."""
    limit = await http_alone(system)
    await monitoring.metrics(system)
    count = min(size.messages, 100)
    async with system.async_client(SECONDS) as client:
        health = await timed(count, lambda _: client.health())
        shown = await timed(count, lambda _: client.export_dashboard("json"))
    pages = await timed(min(count, 20), lambda _: scrape(system))
    return [
        Row("health of the deployment", *health, ("HTTP alone", limit)),
        Row("dashboard as JSON", *shown, ("HTTP alone", limit)),
        Row("metrics of all processes", *pages, ("HTTP alone", limit)),
    ]


async def end_to_end(system: System, size: Size) -> list[Row]:
    """Recall, decide, store, prove, tell, agree; every step waits for the one before to show."""
    limit = await http_alone(system)
    async with system.async_client(SECONDS) as client, messages.component(system) as one:
        await system.settle()
        count = min(size.messages, 200)
        days = await timed(count, lambda n: workflow.day(system, client, one, _agent(system, n)))
    return [Row("an agent's workflow of six steps", *days, ("HTTP alone", limit), WORKFLOW_TARGET)]


async def reorgs(system: System, size: Size) -> list[Row]:
    """Three blocks undone until all stream agents are past it, beside as many plain blocks."""
    healed, plain = [], []
    began = time.perf_counter()
    for _ in range(size.few):
        said = await chain.reorg(system, system.chain.agents[:1], 3)
        healed.append(float(said["healed by all stream agents in seconds"]))
        plain.append(float((await chain.blocks(system, 4))["until all had them s"]))
    return [Row("reorganisation of three blocks", healed, time.perf_counter() - began, ("four plain blocks", plain))]


GROUPS: Sequence[tuple[str, Group]] = (
    ("communication", communication),
    ("retrieval", retrieval),
    ("memory", memory),
    ("sync", sync),
    ("caching", caching),
    ("throughput", throughput),
    ("errors", errors),
    ("monitoring", watching),
    ("end-to-end", end_to_end),
    ("reorg", reorgs),
)
