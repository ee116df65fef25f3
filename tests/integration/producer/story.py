"""What a node's head did, as the log of its follower must tell it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from connectors.chain.rpc import RpcSource
from schemas.records import BlockNotification
from streams.core.block import BlockRef
from streams.producer.loop import BlockProducer
from streams.producer.records import Stager
from streams.settings import ChainSettings
from streams.signing import Signer
from tests.memory_log import MemoryLog

Event = tuple[str, int, bytes]
"""("NEW", height, hash), ("UNDO", depth, hash of the ancestor), ("FINAL", height, hash)."""
PATIENCE = 60.0


class Story:
    """``events`` a follower must have written that saw every head it is told of here, in this order."""

    def __init__(self, genesis: BlockRef) -> None:
        self.line = [genesis]
        self.final: BlockRef | None = None
        self.events: list[Event] = [("NEW", 0, genesis.hash)]
        self._known: dict[bytes, BlockRef] = {genesis.hash: genesis}

    def know(self, refs: Iterable[BlockRef]) -> None:
        """Blocks that later heads may stand on."""
        self._known |= {ref.hash: ref for ref in refs}

    def moved(self, head: BlockRef, final: BlockRef | None = None) -> None:
        """The head went there at once; ``final`` is the node's tag from now on, None: as before."""
        self.know([head])
        path: list[BlockRef] = []
        while head.number >= len(self.line) or self.line[head.number] != head:
            path.append(head)
            head = self._known[head.parent]
        depth = len(self.line) - 1 - head.number
        if depth:
            self.events.append(("UNDO", depth, head.hash))
        del self.line[head.number + 1 :]
        self.line += reversed(path)
        self.events += [("NEW", ref.number, ref.hash) for ref in reversed(path)]
        if final is not None and final != self.final:
            self.final = final
            self.events.append(("FINAL", final.number, final.hash))


def told(notifications: Iterable[BlockNotification]) -> list[Event]:
    """The events of a log."""
    found: list[Event] = []
    for record in notifications:
        if record["step"] == "UNDO":
            ancestor = record["ancestor"]
            assert ancestor is not None
            found.append(("UNDO", len(record["removed"]), ancestor["hash"]))
        else:
            found.append((record["step"], record["block"]["number"], record["block"]["hash"]))
    return found


def parts(events: Iterable[Event]) -> tuple[list[Event], list[Event]]:
    """What moved the tip, and what moved the finality line: a follower that reads a branch in parts says final between them.

    Asserts that what is called final is a block of the branch at that moment.
    """
    tips: list[Event] = []
    finals: list[Event] = []
    held: list[bytes] = []
    for event in events:
        step, number, block_hash = event
        if step == "FINAL":
            assert held[number] == block_hash
            finals.append(event)
            continue
        tips.append(event)
        if step == "NEW":
            held.append(block_hash)
        else:
            del held[-number:]
    return tips, finals


def heights(events: Iterable[Event]) -> list[tuple[str, int]]:
    """Events without hashes: the same for two chains that moved alike."""
    return [(step, number) for step, number, _ in events]


@asynccontextmanager
async def following(source: RpcSource, log: MemoryLog, settings: ChainSettings) -> AsyncIterator[BlockProducer]:
    """A producer beside the test. Raises what ended it, if anything did."""
    chain_id = await source.chain_id()
    producer = BlockProducer(source, log, Stager(chain_id, 2, Signer(bytes(32))), settings, chain_id)
    running, test = asyncio.create_task(producer.run()), asyncio.current_task()
    assert test is not None
    running.add_done_callback(lambda done: not done.cancelled() and done.exception() and test.cancel("the producer failed"))
    try:
        yield producer
    finally:
        producer.stop()
        await asyncio.gather(running, return_exceptions=True)
        await source.close()
        if (error := running.exception()) is not None:
            raise error


async def until(condition: Callable[[], bool]) -> None:
    """Waits for it. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


def rests(producer: BlockProducer, story: Story) -> Callable[[], bool]:
    """Whether the log has all of the story."""

    def at_end() -> bool:
        view = producer.progress.view
        return view.tip == story.line[-1] and (story.final is None or view.final == story.final)

    return at_end
