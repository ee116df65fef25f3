"""One pass over memory.log, apart from the stream agents: the facts that stand, their memories, the chain they are of.

It shares the definitions with the pipeline (what a fact is, when a memory is live, what a leaf is) and the check of markers,
but no local state, checkpoint or rewind: an undone block's facts are dropped from a list.
Invariant: what it holds is a function of the log up to ``position``. Memory: all rows of the partition, and the names of its
blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.records import Memory, MemoryFact
from streams.agents.memory_rows import MODULUS, digest_element, fact_name
from streams.core.block import BlockRef
from streams.core.leaf import Leaf, leaf_of
from streams.core.lthash import LtHash, sum_elements
from streams.core.merkle.sparse import root_of
from streams.core.presence import NO_BLOCK, Fact, Presence
from streams.core.record import Record
from streams.core.sealed import erased_leaf
from streams.core.segment import Assembler, Block, Outside, Undo
from streams.errors import LogIntegrityError
from streams.ports.log import LogReader, TopicPartition
from streams.runtime.decode import decode
from streams.topics import MEMORY_LOG
from streams.upkeep.pipeline import Pipeline

Key = tuple[bytes, bytes]
"""(owner, memory id)."""
Advanced = Callable[[TopicPartition, int, int], None]
"""Told where a read is: the next offset, and the one it goes to."""
Secrets = Callable[[bytes], bytes]
"""The leaf secret of an agent."""


class _Done(NamedTuple):
    op: str
    key: Key
    name: Fact


@dataclass(slots=True)
class StandingRow:
    """One memory: the facts that stand, and its record while an UPSERT does. ``first``: the first UPSERT that was read."""

    presence: Presence = field(default_factory=Presence)
    memory: Memory | None = None

    @property
    def live(self) -> bool:
        """Whether the memory is live."""
        return self.presence.live()

    @property
    def live_on_chain(self) -> bool:
        """Whether it would be if there were no commands."""
        upserts, deletes = (
            frozenset(fact for fact in facts if fact.block_hash != NO_BLOCK)
            for facts in (self.presence.upserts, self.presence.deletes)
        )
        return Presence(upserts, deletes).live()

    @property
    def block(self) -> int | None:
        """Height of the newest block that a fact of it is of; None if all are of commands."""
        numbers = [f.block_number for f in self.presence.upserts | self.presence.deletes if f.block_hash != NO_BLOCK]
        return max(numbers, default=None)

    def leaf(self, secrets: Secrets) -> Leaf:
        """Its leaf; of an erased memory the one that was noted. Raises LogIntegrityError if there is neither."""
        if self.memory is None:
            raise LogIntegrityError("a row without its memory has no leaf")
        return erased_leaf(self.memory) or leaf_of(secrets(self.memory["agent"]), self.memory)


class StandingLog:
    """One partition of memory.log, folded as far as it was read.

    ``base``: rows as of offset ``position``, to go on from; what an undo takes off them is told by the blocks of their facts.
    ``digests``: if one is given, it is kept to what the memory agent's state digest was behind each block that stands, by its
    hash; of no use with a base.
    ``spoiled``: whether the log was not what its markers say; what is held is of no use then. A read that fails or is cut off
    otherwise spoils nothing.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        partition: int,
        *,
        base: Mapping[Key, StandingRow] | None = None,
        position: int = 0,
        digests: dict[bytes, bytes] | None = None,
    ) -> None:
        self.partition = partition
        self.rows: dict[Key, StandingRow] = dict(base or {})
        self.chain: list[BlockRef] = []
        self.digests = digests
        self._total = 0
        self.position = position
        self.records = 0
        self.spoiled = False
        self._done: dict[bytes, list[_Done]] = _done_in(self.rows)
        verifier = pipeline.verifier
        self._assembler = Assembler(
            MEMORY_LOG,
            partition,
            position,
            lambda record: verifier.verify("Marker", record.value, record.raw),
            first=None if position else 0,
        )

    @property
    def settled(self) -> int:
        """Offset behind the last whole block or undo: a place to go on from."""
        return self._assembler.position

    @property
    def sequence(self) -> int:
        """Of the last marker; -1 for none."""
        return -1 if self._assembler.sequence is None else self._assembler.sequence

    @property
    def head(self) -> BlockRef | None:
        """The newest block that stands."""
        return self.chain[-1] if self.chain else None

    async def read(self, reader: LogReader, stop: int | None = None, advanced: Advanced = lambda *_: None) -> None:
        """Reads on to offset ``stop``, or to the end there is now, and may be cut off on the way.

        Raises LogIntegrityError, PositionLostError, LogError.
        """
        source = TopicPartition(MEMORY_LOG, self.partition)
        if stop is None:
            stop = (await reader.bounds([source]))[source][1]
        async for messages in reader.read_range(source, self.position, stop):
            self.feed(decode(source, messages))
            self.position = messages[-1].offset + 1
            advanced(source, self.position, stop)
        self.position = max(self.position, stop)

    def feed(self, records: list[Record]) -> None:
        """Takes the next records."""
        self.records += len(records)
        self.spoiled = True  # until it is through
        for unit in self._assembler.feed(records):
            if isinstance(unit, Outside):
                self._apply(unit.records)
            elif isinstance(unit, Block):
                if done := self._apply(unit.records):
                    self._done.setdefault(unit.marker.block.hash, []).extend(done)
                self.chain.append(unit.marker.block)
                if self.digests is not None:
                    self.digests[unit.marker.block.hash] = self.facts_digest()
            elif isinstance(unit, Undo):
                for block in unit.marker.removed:
                    self._revert(self._done.pop(block.hash, []))
                    if self.digests is not None:
                        self.digests.pop(block.hash, None)
                del self.chain[max(0, len(self.chain) - len(unit.marker.removed)) :]
        self.spoiled = False

    def _apply(self, records: list[Record]) -> list[_Done]:
        done = []
        for record in records:
            if record.type != "MemoryFact":
                continue
            fact: MemoryFact = record.value
            each = _Done(fact["op"], (fact["owner"], fact["memory_id"]), fact_name(fact))
            row = self.rows.setdefault(each.key, StandingRow())
            before = row.presence
            row.presence = before.upsert(each.name) if each.op == "UPSERT" else before.delete(each.name)
            if row.presence != before:
                done.append(each)
                self._count(each, 1)
            if each.op == "UPSERT" and row.memory is None:
                row.memory = fact["memory"]
        return done

    def _revert(self, done: list[_Done]) -> None:
        for each in done:
            row = self.rows[each.key]
            row.presence = row.presence.without(each.name)
            self._count(each, -1)
            if not row.presence.upserts:
                row.memory = None
            if not row.presence:
                del self.rows[each.key]

    def live(self) -> Iterator[tuple[Key, StandingRow]]:
        """Rows of live memories."""
        return ((key, row) for key, row in self.rows.items() if row.live)

    def of_agent(self, owner: bytes) -> dict[bytes, StandingRow]:
        """One agent's rows, by memory id."""
        return {memory_id: row for (agent, memory_id), row in self.rows.items() if agent == owner}

    def _count(self, done: _Done, sign: int) -> None:
        if done.name.block_hash != NO_BLOCK:
            self._total = (self._total + sign * digest_element(done.op, *done.key, done.name)) % MODULUS

    def facts_digest(self) -> bytes:
        """What the memory agent's state digest must be; of no use with a base."""
        return self._total.to_bytes(32, "little")

    def holds(self, fact: MemoryFact) -> bool:
        """Whether the fact is one of those that stand."""
        row = self.rows.get((fact["owner"], fact["memory_id"]), StandingRow()).presence
        return fact_name(fact) in (row.upserts if fact["op"] == "UPSERT" else row.deletes)

    def chain_checksum(self, secrets: Secrets) -> bytes:
        """What the lattice agent's state digest must be."""
        return sum_elements([row.leaf(secrets).value for row in self.rows.values() if row.live_on_chain]).checksum()


def _done_in(rows: Mapping[Key, StandingRow]) -> dict[bytes, list[_Done]]:
    found: dict[bytes, list[_Done]] = {}
    for key, row in rows.items():
        for op, facts in (("UPSERT", row.presence.upserts), ("DELETE", row.presence.deletes)):
            for fact in facts:
                found.setdefault(fact.block_hash, []).append(_Done(op, key, fact))
    return found


@dataclass(frozen=True, slots=True)
class AgentRoot:
    """What an agent's published root must say."""

    count: int
    lattice: LtHash
    merkle_root: bytes


def root_of_rows(rows: dict[bytes, StandingRow], secrets: Secrets) -> AgentRoot:
    """Of one agent's rows."""
    leaves = sorted(row.leaf(secrets) for row in rows.values() if row.live)
    return AgentRoot(len(leaves), sum_elements([leaf.value for leaf in leaves]), root_of(leaves))
