"""Reads that wait until they show a write, or a block.

A write is there when the memory store holds the fact that its command is the cause of and, for a text, the vector store its
vector. A block is there when it is part of the chain and the memory and embedding agents of the agent's partition have taken in
it or a later block of the same chain.
Invariant: ``settle`` returns only if that is so; when time is up it refuses, and nothing older is answered.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass

from streams.core.canonical_text import is_text
from streams.core.ids import command_cause
from streams.partitions import partition_of
from streams.ports.stores import VectorStore
from streams.serving.addresses import to_hex
from streams.serving.faults import ConflictError, LateError
from streams.serving.progress import ProgressTable
from streams.serving.reads import MemoryReads
from streams.serving.write_token import Write, WriteTokens
from streams.topics import COMMANDS

FIRST_PAUSE = 0.01
LONGEST_PAUSE = 0.2
TAKERS = ("memory", "embedding")
AGAIN = "Ask again with the same wait_for, or longer; without it the answer is as old as the stores are."


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a read waits for, at most ``seconds``. ``block``: number or hash."""

    token: str | None = None
    block: int | bytes | None = None
    seconds: float = 5.0


class Waits:
    """Waits on behalf of reads."""

    def __init__(
        self, reads: MemoryReads, index: VectorStore, progress: ProgressTable, tokens: WriteTokens, partitions: int
    ) -> None:
        self._reads = reads
        self._index = index
        self._progress = progress
        self._partitions = partitions
        self.tokens = tokens

    async def settle(self, agent: bytes, awaited: Awaited) -> None:
        """Returns when it is there. Raises LateError, ConflictError (it never will be), BadRequestError (no such token)."""
        deadline = time.monotonic() + awaited.seconds
        if awaited.token is not None:
            await self._write(agent, self.tokens.write_of(agent, awaited.token), deadline)
        if awaited.block is not None:
            await self._block(agent, awaited.block, deadline)

    async def _write(self, agent: bytes, write: Write, deadline: float) -> None:
        pause = FIRST_PAUSE
        while (missing := await self._missing(agent, write)) is not None:
            pause = await _rest(pause, deadline, f"command {uuid.UUID(bytes=write.command_id)}: {missing}")

    async def _missing(self, agent: bytes, write: Write) -> str | None:
        """What is not there yet. Progress is read first: what it says was done, the stores must show afterwards."""
        standing = await self._progress.fresh("memory", write.partition)
        (row,) = await self._reads.rows(agent, [write.memory_id])
        cause = command_cause(agent, write.command_id)
        if row is None or all(fact.cause != cause for fact in row.presence.upserts | row.presence.deletes):
            if standing is not None and standing.offsets.get(COMMANDS, 0) > write.offset:
                raise ConflictError(
                    f"command {uuid.UUID(bytes=write.command_id)} was taken, and the memory store holds nothing of it",
                    "It was refused (see the dead letters), or what it left is gone since.",
                )
            return "the memory store does not hold its effect yet"
        (vector,) = await self._index.find([(agent, write.memory_id)])
        if any(fact.cause == cause for fact in row.presence.deletes):
            return None if vector is None else "the vector is still in the index"
        memory = self._reads.live(row)
        has_vector = memory is not None and memory["form"] == "MEMORY" and is_text(memory["media_type"])
        return "the vector is not in the index yet" if has_vector and vector is None else None

    async def _block(self, agent: bytes, wanted: int | bytes, deadline: float) -> None:
        pause = FIRST_PAUSE
        while (missing := await self._untaken(agent, wanted)) is not None:
            name = f"{wanted}" if isinstance(wanted, int) else to_hex(wanted)
            pause = await _rest(pause, deadline, f"block {name}: {missing}")

    async def _untaken(self, agent: bytes, wanted: int | bytes) -> str | None:
        partition = partition_of(agent, self._partitions)
        standings = [(name, await self._progress.fresh(name, partition)) for name in TAKERS]
        await self._reads.chain.barrier()
        view = self._reads.chain.view
        number = wanted if isinstance(wanted, int) else view.number_of(wanted)
        if number is None:
            undone = isinstance(wanted, bytes) and not view.canonical(wanted)
            return "it was undone" if undone else "it is not known; name an old block by its number"
        if view.head is None or view.head.number < number:
            return "it is not on the chain yet"
        for name, standing in standings:
            at = standing.block if standing is not None else None
            if at is None or at.number < number or not view.holds(at.number, at.hash):
                place = "no block" if at is None else f"block {at.number} {to_hex(at.hash)}"
                return f"the {name} agent has not taken it in; it stands at {place}"
        return None


async def _rest(pause: float, deadline: float, missing: str) -> float:
    """Sleeps; the next pause. Raises LateError if there is no time left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise LateError(missing, AGAIN)
    await asyncio.sleep(min(pause, left))
    return min(2 * pause, LONGEST_PAUSE)
