"""The block producer on a real geth whose head a consensus client moves: the log says what the client did, block by block.

Runs by command; see docs/contributing.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.chain.rpc import RpcSource
from streams.cli.producer import build
from streams.core.block import BlockRef
from streams.ports.chain import Block
from streams.producer.loop import BlockProducer
from streams.settings import ChainSettings, Settings
from streams.topics import TRANSACTIONS
from tests.geth.engine import Consensus
from tests.geth.fixtures import consensus, geth, geth_binary
from tests.geth.genesis import CHAIN_ID, EMITTER
from tests.geth.node import GethNode, Scheme
from tests.integration.producer.logs import canonical, check_partition, notifications, read
from tests.integration.producer.story import Story, following, parts, rests, told, until
from tests.memory_log import MemoryLog

__all__ = ["consensus", "geth", "geth_binary"]
pytestmark = [pytest.mark.node, pytest.mark.slow]
CONFIRMATIONS = 3
SETTLE_SECONDS = 2.0


class Watched(RpcSource):
    """Counts the polls; ``between`` runs once, after a branch was walked and before its blocks are read."""

    heads = 0
    between: Callable[[], Awaitable[None]] | None = None

    async def head(self) -> BlockRef:
        self.heads += 1
        return await super().head()

    async def blocks(self, hashes: Sequence[bytes]) -> list[Block | None]:
        if self.between is not None:
            once, self.between = self.between, None
            await once()
        return await super().blocks(hashes)


@dataclass
class Scene:
    """A node, who moves it, who follows it, and what the log must say in the end."""

    node: GethNode
    consensus: Consensus
    source: Watched
    producer: BlockProducer
    log: MemoryLog
    story: Story
    seen: list[int] = field(default_factory=list)

    async def adopt(self, head: BlockRef, final: BlockRef | None = None, safe: BlockRef | None = None) -> None:
        """Moves the head and waits until the log followed."""
        await self.consensus.adopt(head, safe=safe or final, final=final)
        self.story.moved(head, final)
        await self.settled()

    async def settled(self) -> None:
        await until(rests(self.producer, self.story))

    def ancestors(self) -> list[int]:
        """Down to where the log was undone, each time."""
        return [undo["ancestor"]["number"] for undo in self.log.steps("UNDO") if undo["ancestor"] is not None]

    async def agree(self) -> None:
        """The log tells the story and nothing else, and holds the node's own chain."""
        assert parts(told(self.log.notifications)) == parts(self.story.events)
        await self.same_chain()

    async def same_chain(self) -> None:
        assert canonical(self.log.notifications) == await self.node.hashes()


@asynccontextmanager
async def scene(node: GethNode, consensus: Consensus, *, poll: float = 0.05) -> AsyncIterator[Scene]:
    """Begins at the genesis block, however far the branches were forged."""
    await consensus.adopt(consensus.genesis)
    source, log, story = Watched(node.http, node.ws, level="senders"), MemoryLog(), Story(consensus.genesis)
    story.know(payload.ref for payload in consensus.payloads.values())
    settings = ChainSettings(poll_interval=poll, rewind_confirmations=CONFIRMATIONS)
    async with following(source, log, settings) as producer:
        at = Scene(node, consensus, source, producer, log, story)
        await at.settled()
        yield at


async def test_blocks_one_by_one_and_many_at_once(geth: GethNode, consensus: Consensus) -> None:
    line: list[BlockRef] = []
    for _ in range(3):
        line += await consensus.forge(line[-1] if line else consensus.genesis, 1, transactions=2)
    line += await consensus.forge(line[-1], 60)
    async with scene(geth, consensus) as at:
        for ref in line[:3]:
            await at.adopt(ref)
        await at.adopt(line[-1])
        await at.agree()
        blocks = await RpcSource(geth.http, level="senders").blocks([ref.hash for ref in line[:3]])
    logs = [entry for block in blocks if block for tx in block.transactions for entry in tx["logs"]]
    assert len(logs) >= 6
    assert {entry["address"] for entry in logs} == {EMITTER}


@pytest.mark.parametrize(("depth", "more"), [(1, 1), (1, 0), (3, 1), (3, 0), (3, -1), (30, 1), (30, 0), (30, -1)])
async def test_a_sibling_branch_there_and_back(geth: GethNode, consensus: Consensus, depth: int, more: int) -> None:
    """A wins, then B, then A again: longer, as long and shorter than what it replaces."""
    trunk = await consensus.forge(consensus.genesis, 2, transactions=2)
    one = await consensus.forge(trunk[-1], depth, transactions=2)
    other = await consensus.forge(trunk[-1], depth + more, transactions=2)
    after = await consensus.forge(one[-1], 1)
    async with scene(geth, consensus) as at:
        await at.adopt(one[-1])
        await at.adopt(other[-1])
        await at.adopt(one[-1])
        await at.adopt(after[-1])
        await at.agree()
        assert (at.producer.progress.reorgs, at.producer.progress.deepest) == (2, max(depth, depth + more))


async def test_a_lower_head_counts_when_enough_polls_agree(geth: GethNode, consensus: Consensus) -> None:
    line = await consensus.forge(consensus.genesis, 6, transactions=2)
    sibling = await consensus.forge(line[1], 2, transactions=1)
    async with scene(geth, consensus) as at:
        await at.adopt(line[-1])
        before = at.source.heads
        await at.adopt(line[2])  # an ancestor
        assert at.source.heads - before >= CONFIRMATIONS
        await at.adopt(line[-1])
        before = at.source.heads
        await at.adopt(sibling[-1])  # lower, and on another branch
        assert at.source.heads - before >= CONFIRMATIONS
        await at.agree()


async def test_a_dip_undoes_nothing(geth: GethNode, consensus: Consensus) -> None:
    line = await consensus.forge(consensus.genesis, 8)
    async with scene(geth, consensus, poll=0.5) as at:
        await at.adopt(line[5])
        for number in (4, 2, 0, 3):
            await consensus.adopt(line[number])
            await consensus.adopt(line[5])
        await at.adopt(line[6])
        await consensus.adopt(line[1])
        await at.adopt(line[7])
        await at.agree()
    assert not at.log.steps("UNDO")


async def test_the_tags_move_the_finality_line(geth: GethNode, consensus: Consensus) -> None:
    line = await consensus.forge(consensus.genesis, 12, transactions=1)
    other = await consensus.forge(line[7], 6, transactions=1)
    async with scene(geth, consensus) as at:
        await at.adopt(line[5], final=line[2], safe=line[3])
        await at.adopt(line[9], final=line[2], safe=line[6])  # safe alone says nothing
        await at.adopt(line[9], final=line[6])
        await at.adopt(other[-1], final=line[7])
        await at.adopt(other[-1], final=other[1])
        await at.agree()
    assert [record["block"]["number"] for record in at.log.steps("FINAL")] == [3, 7, 8, 10]


async def test_a_branch_that_loses_while_it_is_read(geth: GethNode, consensus: Consensus) -> None:
    """The blocks and receipts of an orphan are read by hash: whole, checked, and undone again."""
    trunk = await consensus.forge(consensus.genesis, 3, transactions=2)
    one = await consensus.forge(trunk[-1], 2, transactions=2)
    orphan = await consensus.forge(trunk[-1], 3, transactions=2)
    third = await consensus.forge(trunk[-2], 5, transactions=2)
    async with scene(geth, consensus) as at:
        await at.adopt(one[-1])
        at.source.between = lambda: consensus.adopt(third[-1])
        await consensus.adopt(orphan[-1])
        at.story.moved(orphan[-1])
        at.story.moved(third[-1])
        await at.settled()
        await at.agree()
        read_later = await at.source.blocks([ref.hash for ref in orphan])
    assert [block.ref for block in read_later if block] == orphan
    assert sum(len(tx["logs"]) for block in read_later if block for tx in block.transactions) >= 2


async def test_a_silent_rewind_is_seen_by_polling(geth: GethNode, consensus: Consensus) -> None:
    line = await consensus.forge(consensus.genesis, 8, transactions=1)
    other = await consensus.forge(line[3], 3, transactions=1)
    async with scene(geth, consensus) as at:
        await at.adopt(line[-1])
        await geth.rpc.call("debug_setHead", hex(line[3].number))
        at.story.moved(line[3])
        await at.settled()
        await consensus.feed(*other)
        await at.adopt(other[-1])
        await at.agree()


@pytest.mark.parametrize("scheme", ["hash", "path"])
@pytest.mark.parametrize("final", [None, 10])
async def test_a_killed_node_takes_back_no_more_than_it_lost(
    geth_binary: Path, tmp_path: Path, scheme: Scheme, final: int | None
) -> None:
    """Where it comes back is up to its database: at the head, somewhere below it, or at the genesis block."""
    node = GethNode(geth_binary, tmp_path / "geth", scheme)
    try:
        node.start()
        async with Consensus(node) as driver:
            line = [driver.genesis, *await driver.forge(driver.genesis, 24, transactions=2)]
            async with scene(node, driver) as at:
                await at.adopt(line[20], final=line[final] if final else None)
                node.kill()
                await asyncio.sleep(0.3)
                node.start()
                kept = len(await node.hashes()) - 1
                print(f"{scheme}: came back at {kept} of 20")
                await asyncio.sleep(SETTLE_SECONDS)
                lowest = max(min(kept, 20), final or 0)
                assert all(ancestor >= lowest for ancestor in at.ancestors())
                if kept < 20:  # it would ask its peers for the rest, and has none: it begins anew
                    node.wipe()
                    node.start()
                    lowest = final or 0
                for ref in line[1:] if kept < 20 else line[kept + 1 :]:
                    await driver.feed(ref)
                    await driver.adopt(ref, final=line[12] if ref.number > 12 else None)
                at.story.moved(line[-1], line[12])
                await at.settled()
                await at.same_chain()
                assert all(ancestor >= lowest for ancestor in at.ancestors())
    finally:
        node.kill()
        await node.rpc.close()


@pytest.mark.kafka
async def test_end_to_end_into_a_real_log(kafka_settings: Settings, geth: GethNode, consensus: Consensus) -> None:
    trunk = await consensus.forge(consensus.genesis, 10, transactions=3)
    one = await consensus.forge(trunk[-1], 3, transactions=3)
    other = await consensus.forge(trunk[-1], 4, transactions=3)
    kafka_settings.chain.poll_interval = 0.05
    story = Story(consensus.genesis)
    story.know(payload.ref for payload in consensus.payloads.values())
    await consensus.adopt(consensus.genesis)
    source = RpcSource(geth.http, geth.ws, level="senders")
    producer = await build(kafka_settings, source)
    running = asyncio.create_task(producer.run())
    try:
        await until(rests(producer, story))
        for head, final in ((one[-1], None), (other[-1], trunk[4]), (one[-1], trunk[6]), (trunk[-1], None), (other[-1], None)):
            await consensus.adopt(head, safe=final or story.final, final=final or story.final)
            story.moved(head, final)
            await until(rests(producer, story))
    finally:
        producer.stop()
        await running
        await source.close()
    records = await notifications(kafka_settings)
    assert parts(told(records)) == parts(story.events)  # type: ignore[arg-type]
    assert canonical(records) == await geth.hashes()
    for number, part in (await read(kafka_settings, TRANSACTIONS)).items():
        check_partition(kafka_settings, CHAIN_ID, number, part)
