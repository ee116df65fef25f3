"""Rows of one partition of a marked topic, as of the newest block read: what the NEW, UNDO and FINAL rules ask of a reader.

Takes units that ``core.segment`` has cut and verified, so a block is there as a whole or not at all. Invariants: ``rows`` are
those of blocks that stand, in log order, and of records outside blocks, but what was handed over; a row is there once however
often it was read, by its content id, as it was read first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from blake3 import blake3

from streams.core.block import BlockRef
from streams.core.ids import content_id, transaction_id
from streams.core.record import Record
from streams.core.segment import Block, Outside, Undo, Unit


class Row(NamedTuple):
    """One record. ``block``: None where it stands outside blocks; ``raw``: as it lies in the log."""

    id: bytes
    block: BlockRef | None
    raw: bytes


class TapTable:
    """Changed by ``apply``, in log order. ``final``: the newest final block, None before the first."""

    def __init__(self) -> None:
        self.final: BlockRef | None = None
        self._blocks: list[tuple[BlockRef, dict[bytes, Row]]] = []
        self._outside: dict[bytes, Row] = {}
        self._size = 0

    def __len__(self) -> int:
        """Rows."""
        return self._size

    @property
    def head(self) -> BlockRef | None:
        """The newest block that stands, None before the first."""
        return self._blocks[-1][0] if self._blocks else None

    def apply(self, unit: Unit) -> list[BlockRef]:
        """The next unit. What of the chain it removed that was not here: handed over, or in front of where reading began."""
        if isinstance(unit, Outside):
            for record in unit.records:
                self.add(None, record_id(record), record.raw)
            return []
        gone: list[BlockRef] = []
        if isinstance(unit, Block):
            self.open(unit.marker.block)
            for record in unit.records:
                self.add(unit.marker.block, record_id(record), record.raw)
        elif isinstance(unit, Undo):
            removed = {ref.hash: ref for ref in unit.marker.removed}
            while self._blocks and self._blocks[-1][0].hash in removed:
                block, rows = self._blocks.pop()
                self._size -= len(rows)
                del removed[block.hash]
            gone = list(removed.values())
        self.final = unit.marker.final  # FINAL moves it on; an UNDO below it takes it back
        return gone

    def hand_over(self) -> list[Row]:
        """Rows of final blocks and those outside blocks, which leave the table."""
        handed = list(self._outside.values())
        self._outside = {}
        final = 0
        while final < len(self._blocks) and self._is_final(self._blocks[final][0]):
            handed += self._blocks[final][1].values()
            final += 1
        del self._blocks[:final]
        self._size -= len(handed)
        return handed

    def open(self, block: BlockRef) -> None:
        """The next block, empty yet."""
        self._blocks.append((block, {}))

    def add(self, block: BlockRef | None, row_id: bytes, raw: bytes) -> None:
        """A row of the newest block, or outside blocks. One that is there stays as it is: a command that was sent again says
        when the log had it, and what counts is the first time.
        """
        where = self._outside if block is None else self._blocks[-1][1]
        self._size += row_id not in where
        where.setdefault(row_id, Row(row_id, block, raw))

    def _is_final(self, block: BlockRef) -> bool:
        return self.final is not None and block.number <= self.final.number

    def rows(self, *, final_only: bool = False) -> Iterator[Row]:
        """All that stand now; ``final_only``: those that nothing but a reorganisation below finality can take back."""
        for block, rows in self._blocks:
            if not final_only or self._is_final(block):
                yield from rows.values()
        yield from self._outside.values()

    def blocks(self) -> Iterator[tuple[BlockRef, list[Row]]]:
        """Blocks that stand, oldest first, with their rows."""
        for block, rows in self._blocks:
            yield block, list(rows.values())

    def outside(self) -> list[Row]:
        """Rows outside blocks."""
        return list(self._outside.values())


def record_id(record: Record) -> bytes:
    """Made of what the record says, never of where it lies: equal for one record read twice, different in two forks."""
    value = record.value
    if record.type == "ChainTransaction":
        return transaction_id(value["chain_id"], value["block"]["hash"], value["index"], value["agent"])
    if record.type == "Intent":
        return transaction_id(value["chain_id"], value["block"]["hash"], value["transaction_index"], value["agent"])
    if record.type == "MemoryFact":
        block = value["block"]
        parts = (value["op"].encode(), value["owner"], value["memory_id"], value["cause"], block["hash"] if block else b"")
        return content_id("monmouth/fact", *parts)
    return blake3(record.raw).digest()
