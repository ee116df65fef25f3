"""What the own log says that the chain left, block by block: a plain fold of chain.transactions, checked marker by marker.

Assumes facts are pure functions of a record (``streams.agents.memory_facts``). Invariant: a block counts only if its marker is
signed by a trusted key and its records are those that the marker counts; blocks that the log undid are out.
Memory: the facts asked for, and a reference for each block.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from schemas.records import ChainTransaction, MemoryFact
from streams.agents.memory_facts import transaction_facts
from streams.core.block import BlockRef
from streams.core.record import Record
from streams.core.segment import Assembler, Block, Undo
from streams.decoding.nl.parser import default_reader
from streams.decoding.reading import Reader
from streams.errors import LogIntegrityError
from streams.partitions import partition_of
from streams.ports.log import LogReader, TopicPartition
from streams.runtime.decode import decode
from streams.topics import TRANSACTIONS

Verify = Callable[[Record], None]


@dataclass(frozen=True, slots=True)
class LoggedBlock:
    """A block of the chain in one partition, with the facts of the agents asked for. ``digest``: of all its records there."""

    ref: BlockRef
    digest: bytes
    facts: tuple[MemoryFact, ...]


@dataclass(frozen=True, slots=True)
class LoggedFacts:
    """Facts of one agent, and the hashes of all blocks of the chain up to the height asked for."""

    facts: list[MemoryFact]
    blocks: frozenset[bytes]


def facts_in(records: Iterable[ChainTransaction], reader: Reader) -> list[MemoryFact]:
    """Facts of records of chain.transactions."""
    return [fact for record in records for fact in transaction_facts(record, reader.read(record))]


class LogFacts:
    """The log of one deployment."""

    def __init__(self, log: LogReader, verify: Verify, partitions: int) -> None:
        self._log = log
        self._verify = verify
        self._partitions = partitions
        self._reader = default_reader()

    async def of_agents(self, agents: Collection[bytes], until: BlockRef) -> dict[bytes, LoggedFacts]:
        """Facts of these agents by blocks up to ``until``, which must be part of the log's chain. Raises LogIntegrityError."""
        wanted: dict[int, set[bytes]] = {}
        for agent in agents:
            wanted.setdefault(partition_of(agent, self._partitions), set()).add(agent)
        found: dict[bytes, LoggedFacts] = {}
        for partition, members in wanted.items():
            blocks = await self._blocks(partition, members, 0, until)
            hashes = frozenset(block.ref.hash for block in blocks)
            found |= {agent: LoggedFacts([], hashes) for agent in members}
            for block in blocks:
                for fact in block.facts:
                    found[fact["owner"]].facts.append(fact)
        return found

    async def of_blocks(self, after: int, until: BlockRef) -> list[list[LoggedBlock]]:
        """By partition: the blocks above height ``after`` up to ``until``, with the facts of all agents."""
        return [await self._blocks(partition, None, after + 1, until) for partition in range(self._partitions)]

    async def _blocks(self, partition: int, agents: Collection[bytes] | None, least: int, until: BlockRef) -> list[LoggedBlock]:
        source = TopicPartition(TRANSACTIONS, partition)
        first, last = (await self._log.bounds([source]))[source]
        assembler = Assembler(TRANSACTIONS, partition, first, self._verify, first=0 if first == 0 else None)
        chain: list[LoggedBlock] = []
        async for messages in self._log.read_range(source, first, last):
            for unit in assembler.feed(decode(source, messages)):
                if isinstance(unit, Block):
                    wanted = least <= unit.marker.block.number <= until.number
                    records = [one for one in unit.records if wanted and (agents is None or one.key in agents)]
                    facts = facts_in((one.value for one in records if one.type == "ChainTransaction"), self._reader)
                    chain.append(LoggedBlock(unit.marker.block, unit.marker.digest, tuple(facts)))
                elif isinstance(unit, Undo):
                    while chain and chain[-1].ref.number > unit.ancestor.number:
                        chain.pop()
        found = [block for block in chain if block.ref.number <= until.number]
        if not found or found[-1].ref.hash != until.hash:
            raise LogIntegrityError(
                f"{TRANSACTIONS}/{partition}: block {until} is not part of the log's chain",
                "It was undone meanwhile: repair again.",
            )
        return [block for block in found if block.ref.number >= least]
