"""The chain reorganises, blocks come thick and fast, checkpoints are made and gone back to; every digest must still agree."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from connectors.chain.devchain.block import Block
from streams.agents.memory_facts import HAPPENED
from streams.cli.demo.course import Metrics, expect
from streams.cli.demo.system import AGENTS, System
from streams.core.checkpoint import NAMED
from streams.core.ids import chain_memory_id
from streams.core.replay import Phase
from streams.serving.client import AsyncClient
from streams.serving.client_errors import NotFoundError
from streams.upkeep.checkpoints import Listed, create, delete, listed
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.replay import Start, Watcher, plan, request

VALIDATED = 3
REPLAY_SECONDS = 60.0
LOOK_SECONDS = 0.1
ROOTS_SECONDS = 5.0
Ring = dict[tuple[str, int, int], Listed]
"""Checkpoints of single blocks, by stream agent, partition and height."""


async def agreed(system: System) -> Metrics:
    """An independent fold of the chain against everything published. Raises CheckError where they differ."""
    deadline = time.monotonic() + ROOTS_SECONDS
    while not (verdict := await system.compare()).agreed and time.monotonic() < deadline:
        await system.tick()  # roots of the last commands are on their way
    said = "; ".join(map(str, verdict.differences[:3]))
    expect(verdict.agreed, f"{len(verdict.differences)} digests differ from the independent fold: {said}")
    return {"agents compared": verdict.agents, "memories compared": verdict.memories}


async def blocks(system: System, count: int) -> Metrics:
    """``count`` blocks at once, until all stream agents have them."""
    before, began = system.seen.transactions, time.monotonic()
    system.advance(count)
    await system.settle()
    seconds, grown = time.monotonic() - began, system.seen.transactions - before
    expect(grown > 0, "the blocks hold no transactions")
    return {"blocks": count, "transactions": grown, "until all had them s": seconds, "a second": grown / seconds}


async def reorg(system: System, agents: Sequence[bytes], depth: int) -> Metrics:
    """The newest ``depth`` blocks are undone. Raises CheckError unless nothing of them is left, and checkpoints below stand."""
    system.advance(depth + VALIDATED)
    await system.settle()
    before = await _ring(system)
    undo, reorgs = system.chain.head.number - depth, len(system.seen.reorgs)
    lines = system.chain.line(undo + 1)
    undone = [_happened(system, built.block, number) for built in lines for number in range(len(built.block.transactions))]
    async with system.async_client() as client:
        read = [await _reads(client, *one) for one in undone]
        expect(all(read), f"{read.count(False)} of {len(read)} memories are not read though nothing is undone yet")
    began = time.monotonic()
    system.reorg(depth)
    await system.settle()
    healed, seen = time.monotonic() - began, system.seen.reorgs[reorgs:]
    expect(seen == [depth], f"reorgs of {seen} blocks are in the log, one of {depth} was made")
    async with system.async_client() as client:
        left = [memory_id for agent, memory_id in undone if await _reads(client, agent, memory_id)]
        expect(not left, f"{len(left)} of {len(undone)} memories of undone blocks are still read")
        for agent in agents:
            root = await client.root(agent)
            found = await client.verify_state(agent, root.merkle_root)
            expect(found.matches, f"the state of 0x{agent.hex()} is not what its root says")
    validated = _validated(system, before, await _ring(system), range(undo - VALIDATED + 1, undo + 1))
    return {
        "depth": depth,
        "healed by all stream agents in seconds": healed,
        "memories undone": len(undone),
        "agents verified": len(agents),
        "checkpoints validated": validated,
        **await agreed(system),
    }


def _happened(system: System, block: Block, index: int) -> tuple[bytes, bytes]:
    """Agent and id of the memory that a transaction leaves with its sender."""
    sender = block.transactions[index].sender
    return sender, chain_memory_id(system.chain.rules.chain_id, block.hash, index, sender, HAPPENED)


async def _reads(client: AsyncClient, agent: bytes, memory_id: bytes) -> bool:
    try:
        await client.get(agent, memory_id)
    except NotFoundError:
        return False
    return True


async def _ring(system: System) -> Ring:
    found = await listed(open_pipeline(system.settings), AGENTS, range(system.settings.kafka.partitions))
    return {(one.stream_agent, one.partition, one.block): one for one in found if one.slot.isdigit()}


def _validated(system: System, before: Ring, after: Ring, heights: range) -> int:
    """Heights below the reorg whose checkpoints are the canonical block's, and what they were."""
    for height in heights:
        block = system.chain.at(height)
        assert block is not None
        for name, one in after.items():
            if name[2] != height:
                continue
            expect(one.block_hash == block.hash, f"checkpoint {name} is of another block than the chain's")
            was = before.get(name)
            expect(was is not None and was.digest == one.digest, f"checkpoint {name} is not what it was before the reorg")
        expect(any(name[2] == height for name in after), f"no checkpoint of block {height} is kept")
    return len(heights)


async def checkpoints(system: System, agent: str, count: int) -> Metrics:
    """``count`` checkpoints, a block apart; back to each and on again.

    A replay stops unless the state at the checkpoint is what it was. Raises CheckError.
    """
    pipeline, numbers = open_pipeline(system.settings), range(system.settings.kafka.partitions)
    names, redone = [f"scene-{number}" for number in range(1, count + 1)], 0
    for name in names:
        made = await create(pipeline, agent, name, numbers)
        expect(len(made) == len(numbers), f"{name} was made in {len(made)} of {len(numbers)} partitions")
        system.advance()
        await system.settle()
    kept = {one.slot for one in await listed(pipeline, [agent], numbers)}
    expect({NAMED + name for name in names} <= kept, "a checkpoint that was made is not listed")
    for name in reversed(names):
        redone += await _back(system, agent, NAMED + name)
        await system.settle()
    for name in names:
        await delete(pipeline, agent, name, numbers)
    return {"created": count, "restored": count, "blocks done again": redone, **await agreed(system)}


async def _back(system: System, agent: str, slot: str) -> int:
    """Blocks that were taken back and done again."""
    pipeline, numbers = open_pipeline(system.settings), range(system.settings.kafka.partitions)
    plans = await plan(pipeline, agent, Start(checkpoint=slot), numbers)
    asked = await request(pipeline, agent, {each.partition: each.first for each in plans}, None)
    async with asyncio.timeout(REPLAY_SECONDS), Watcher(pipeline, agent, asked) as watcher:
        while True:
            found = await watcher.look()
            if all(part.phase in (Phase.DONE, Phase.REFUSED) for part in found):
                break
            system.check()
            await asyncio.sleep(LOOK_SECONDS)
    refused = [part.reason for part in found if part.phase is Phase.REFUSED]
    expect(not refused, f"the replay from {slot} was refused: {'; '.join(refused)}")
    return sum(each.blocks for each in plans)
