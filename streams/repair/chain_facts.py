"""What the chain itself says of some blocks: the records a producer would write of them, as the own node gives them.

Assumes a ChainSource that checks what it is told (``streams.ports.chain``), so a block is what its hash says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

from schemas.codec import codec
from schemas.records import MemoryFact
from streams.core.marker import block_digest
from streams.decoding.nl.parser import default_reader
from streams.partitions import partition_of
from streams.ports.chain import ChainSource, from_one_node
from streams.producer.records import transaction_records
from streams.repair.log_facts import facts_in

T = TypeVar("T")
BATCH = 16


class ChainFacts:
    """One chain, as a producer with these registered agents sees it."""

    def __init__(self, source: ChainSource, chain_id: int, registered: frozenset[bytes]) -> None:
        self._source = source
        self._chain_id = chain_id
        self._registered = registered
        self._reader = default_reader()

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await from_one_node(self._source, self._chain_id, ask)

    async def hash_at(self, number: int) -> bytes | None:
        """Hash of the block the node believes canonical there. Raises SourceError."""
        (found,) = await self._asked(partial(self._source.canonical, [number]))
        return None if found is None else found.hash

    async def of(self, hashes: Sequence[bytes], agents: Collection[bytes]) -> dict[bytes, list[MemoryFact] | None]:
        """By block hash: facts of these agents; None where the node does not know the block. Raises SourceError."""
        found: dict[bytes, list[MemoryFact] | None] = {}
        for start in range(0, len(hashes), BATCH):
            part = list(hashes[start : start + BATCH])
            for block_hash, block in zip(part, await self._asked(partial(self._source.blocks, part)), strict=True):
                if block is None:
                    found[block_hash] = None
                    continue
                records = [
                    record
                    for record in transaction_records(block, self._chain_id, self._registered)
                    if record["agent"] in agents
                ]
                found[block_hash] = facts_in(records, self._reader)
        return found

    async def digests(self, block_hash: bytes, partitions: int) -> list[bytes] | None:
        """By partition: digest of the records a producer writes of a block; None if the node does not know it."""
        (block,) = await self._asked(partial(self._source.blocks, [block_hash]))
        if block is None:
            return None
        values: list[list[bytes]] = [[] for _ in range(partitions)]
        for record in transaction_records(block, self._chain_id, self._registered):
            values[partition_of(record["agent"], partitions)].append(codec().encode("ChainTransaction", record))
        return [block_digest(part) for part in values]
