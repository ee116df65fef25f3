"""One partition of chain.transactions as it stands, and what the graph agent must have made of it; of erased agents also the
facts, which the memory agent counts and does not write.

It is read twice: first for the markers, which say what blocks stand, then for these blocks' records, oldest first. So the graph
is folded forward alone, by the agent's own definition of an event and without its rewind.
Invariant: what is held is a function of the log up to ``settled``. Memory: the graph of the partition, about 500 bytes for each
event of an edge, and the names of the blocks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from schemas.records import MemoryFact
from streams.agents.graph import GraphAgent
from streams.agents.memory_facts import transaction_facts
from streams.core.block import BlockRef
from streams.core.record import Record
from streams.core.segment import Assembler, Block, Undo, Unit
from streams.decoding.nl.parser import default_reader
from streams.ports.log import LogReader, TopicPartition
from streams.runtime.decode import decode
from streams.topics import EDGES, TRANSACTIONS
from streams.upkeep.pipeline import Pipeline
from streams.upkeep.tables import record_digest


class Rows:
    """A LocalState in memory."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""
        return self.rows.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Sets it."""
        self.rows[key] = value

    def delete(self, key: bytes) -> None:
        """Removes it, if there."""
        self.rows.pop(key, None)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Pairs whose key starts with ``prefix``, in key order."""
        return ((key, self.rows[key]) for key in sorted(self.rows) if key.startswith(prefix))


class GraphFold:
    """The graph of blocks that were taken in, each once, in order.

    ``edges``, ``profiles``: digest of the record by key; ``digests``: of the state behind each block, by its hash.
    """

    def __init__(self, partition: int) -> None:
        self._rows = Rows()
        self._agent = GraphAgent(partition, self._rows)
        self.edges: dict[bytes, bytes] = {}
        self.profiles: dict[bytes, bytes] = {}
        self.digests: dict[bytes, bytes] = {}

    @property
    def rows(self) -> dict[bytes, bytes]:
        """What local state must be."""
        return self._rows.rows

    def take(self, block: BlockRef, records: list[Record]) -> None:
        """The next block's transactions."""
        for emit in self._agent.apply(block, records):
            if emit.topic == EDGES:
                self.edges[emit.key] = record_digest(emit.type, emit.value)
        self.digests[block.hash] = self._agent.state_digest()

    def settle(self) -> None:
        """Makes the profiles of agents that blocks since the last time were about."""
        for emit in self._agent.emit_before_commit():
            self.profiles[emit.key] = record_digest(emit.type, emit.value)

    @property
    def digest(self) -> bytes:
        """What the graph agent's state digest must be."""
        return self._agent.state_digest()


class _Stands(NamedTuple):
    block: BlockRef
    marker: int


class TransactionLog:
    """``graph``: None unless ``read`` was told to fold it. ``facts``: of agents named there as erased, by block hash."""

    def __init__(self, pipeline: Pipeline, partition: int) -> None:
        self.partition = partition
        self.graph: GraphFold | None = None
        self.facts: dict[bytes, list[MemoryFact]] = {}
        self._erased: frozenset[bytes] = frozenset()
        self._blocks: list[_Stands] = []
        self._read = 0
        self._folded = 0
        verifier = pipeline.verifier
        self._assembler = Assembler(
            TRANSACTIONS, partition, 0, lambda record: verifier.verify("Marker", record.value, record.raw), first=0
        )

    @property
    def head(self) -> BlockRef | None:
        """The newest block that stands."""
        return self._blocks[-1].block if self._blocks else None

    @property
    def settled(self) -> int:
        """Offset behind the last marker."""
        return self._assembler.position

    @property
    def sequence(self) -> int:
        """Of the last marker; -1 for none."""
        return -1 if self._assembler.sequence is None else self._assembler.sequence

    async def read(self, reader: LogReader, *, graph: bool, erased: Collection[bytes] = ()) -> None:
        """Reads on to the end there is now. Raises LogIntegrityError, PositionLostError, LogError."""
        source = TopicPartition(TRANSACTIONS, self.partition)
        stop = (await reader.bounds([source]))[source][1]
        async for messages in reader.read_range(source, self._read, stop):
            for unit in self._assembler.feed(decode(source, messages)):
                self._take(unit)
        self._read = max(self._read, stop)
        if graph is (self.graph is None) or self._erased != set(erased):
            self._begin_anew()
            self.graph, self._erased = GraphFold(self.partition) if graph else None, frozenset(erased)
        if graph or erased:
            await self._fold(reader, source)

    def _begin_anew(self) -> None:
        self.graph = None if self.graph is None else GraphFold(self.partition)
        self._folded, self.facts = 0, {}

    def _take(self, unit: Unit) -> None:
        if isinstance(unit, Block):
            self._blocks.append(_Stands(unit.marker.block, unit.offset))
        elif isinstance(unit, Undo):
            del self._blocks[max(0, len(self._blocks) - len(unit.marker.removed)) :]
            if len(self._blocks) < self._folded:  # what was folded holds what was undone
                self._begin_anew()

    async def _fold(self, reader: LogReader, source: TopicPartition) -> None:
        due = {stands.marker for stands in self._blocks[self._folded :]}
        if due:
            start = self._blocks[self._folded - 1].marker + 1 if self._folded else 0
            blocks = Assembler(TRANSACTIONS, self.partition, start, lambda _: None)  # the first reading has verified them
            async for messages in reader.read_range(source, start, self._blocks[-1].marker + 1):
                for unit in blocks.feed(decode(source, messages)):
                    if isinstance(unit, Block) and unit.offset in due:
                        self._fold_block(unit)
        self._folded = len(self._blocks)
        if self.graph is not None:
            self.graph.settle()

    def _fold_block(self, unit: Block) -> None:
        block, records = unit.marker.block, [record for record in unit.records if record.type == "ChainTransaction"]
        if self.graph is not None:
            self.graph.take(block, records)
        erased = [record.value for record in records if record.value["agent"] in self._erased]
        facts = [fact for each in erased for fact in transaction_facts(each, default_reader().read(each))]
        if facts:
            self.facts[block.hash] = facts
