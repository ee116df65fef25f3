"""Cuts one partition of a marked topic into verified units: blocks, undos, finality moves, records outside blocks.

A state machine over records in log order, with no I/O. Records of a block lie in front of its NEW marker; a record whose
``block`` field is null lies outside blocks, wherever it is; bytes no schema knows count as part of the open block, so that the
marker decides whether its writer vouches for them. A record of a newer version is where this one must stop: what it says,
were it a marker, is not known here.
Invariants:
  * however the log is split into ``feed`` calls, the units are the same;
  * nothing of a block is handed on before its marker was checked: signature, sequence one more than the last, parent the tip,
    count and digest what was read;
  * ``position`` is a place to start again from: right behind the last unit handed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NoReturn

from streams.core.block import BlockRef, Step
from streams.core.marker import Marker, block_digest
from streams.core.record import MARKER, NEWER, Record
from streams.errors import LogIntegrityError, OutdatedError

OPEN_BLOCK_BYTES = 512 * 1024 * 1024
HINT = "The log was forged, cut or altered, or a writer is at fault. Nothing of this block was processed."

Verify = Callable[[Record], None]
"""Raises LogIntegrityError unless a trusted key signed the marker record."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Records outside blocks. ``next_offset``: position after the unit, as in all units."""

    records: list[Record]
    next_offset: int

    @property
    def topic(self) -> str:
        return self.records[0].topic

    @property
    def size(self) -> int:
        """Records of the log this unit settles."""
        return len(self.records)


@dataclass(frozen=True, slots=True)
class Block:
    """A whole, verified block. ``start``: offset of its first record, or of its marker if it has none."""

    marker: Marker
    records: list[Record]
    start: int
    offset: int

    @property
    def next_offset(self) -> int:
        return self.offset + 1

    @property
    def size(self) -> int:
        return len(self.records) + 1


@dataclass(frozen=True, slots=True)
class Undo:
    """An UNDO marker that removes the tip of the chain."""

    marker: Marker
    offset: int
    size: int = 1

    @property
    def next_offset(self) -> int:
        return self.offset + 1

    @property
    def ancestor(self) -> BlockRef:
        assert self.marker.ancestor is not None
        return self.marker.ancestor


@dataclass(frozen=True, slots=True)
class Final:
    """A FINAL marker."""

    marker: Marker
    offset: int
    size: int = 1

    @property
    def next_offset(self) -> int:
        return self.offset + 1


Unit = Outside | Block | Undo | Final


@dataclass(slots=True)
class _OpenBlock:
    """Records since the last marker. ``outside``: records outside blocks that lie between them, held until the marker."""

    records: list[Record] = field(default_factory=list)
    outside: list[Record] = field(default_factory=list)
    bytes: int = 0


class Assembler:
    """One partition's state machine. ``sequence`` and ``head``: of the last marker; None where it is not known.

    ``first`` is the sequence the next marker must have where ``sequence`` is not known, or None if any will do.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        position: int,
        verify: Verify,
        *,
        sequence: int | None = None,
        head: BlockRef | None = None,
        first: int | None = None,
        limit_bytes: int = OPEN_BLOCK_BYTES,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.position = position
        self.sequence = sequence
        self.head = head
        self._first = first
        self._verify = verify
        self._limit = limit_bytes
        self._open = _OpenBlock()

    @property
    def waiting(self) -> int:
        """Records held for a marker that has not come yet."""
        return len(self._open.records) + len(self._open.outside)

    def feed(self, records: Iterable[Record]) -> list[Unit]:
        """Takes the next records in log order and returns the units they complete. Raises LogIntegrityError, OutdatedError."""
        units: list[Unit] = []
        outside: list[Record] = []  # of no open block
        block, held, size = self._open.records, self._open.outside, self._open.bytes
        for record in records:
            if record.type == MARKER:
                outside += held
                self._hand_on(outside, units)
                units.append(self._marked(record))
                self.position = record.offset + 1
                self._open, outside = _OpenBlock(), []
                block, held, size = self._open.records, self._open.outside, 0
            elif record.type == NEWER:
                raise OutdatedError(f"{self.topic}/{self.partition}@{record.offset}", record.value)
            elif record.type and record.value.get("block", 0) is None:
                (held if block else outside).append(record)
            else:
                block.append(record)
                size += len(record.raw)
                if size > self._limit:
                    self._refuse(record, size)
        self._open.bytes = size
        self._hand_on(outside, units)
        return units

    def _hand_on(self, outside: list[Record], units: list[Unit]) -> None:
        if outside:
            self.position = outside[-1].offset + 1
            units.append(Outside(outside, self.position))

    def _refuse(self, record: Record, size: int) -> NoReturn:
        raise LogIntegrityError(
            f"{self.topic}/{self.partition}: {len(self._open.records)} records ({size} bytes) up to offset {record.offset} "
            "and no marker",
            HINT,
        )

    def _marked(self, record: Record) -> Unit:
        try:
            marker = Marker.of(record.value)
            self._verify(record)
        except LogIntegrityError as error:
            self._fail(record, error.message, hint=error.hint)
        except (KeyError, TypeError, ValueError) as error:
            self._fail(record, f"not a marker: {error}")
        if (marker.topic, marker.partition) != (self.topic, self.partition):
            self._fail(record, f"the marker was written for {marker.topic}/{marker.partition}", marker)
        self._check_sequence(record, marker)
        unit = self._unit(record, marker)
        self.sequence = marker.sequence
        self.head = marker.head
        return unit

    def _check_sequence(self, record: Record, marker: Marker) -> None:
        due = self._first if self.sequence is None else self.sequence + 1
        if due is None or marker.sequence == due:
            return
        fault = "came twice" if marker.sequence < due else f"came where {due} was due; the log was cut or reordered"
        self._fail(record, f"sequence {marker.sequence} {fault}", marker)

    def _unit(self, record: Record, marker: Marker) -> Unit:
        if marker.step is Step.NEW:
            return self._block(record, marker)
        if self._open.records:
            self._fail(record, f"{len(self._open.records)} records of no block lie in front of it", marker)
        if marker.step is Step.FINAL:
            if self.head is not None and marker.head != self.head:
                self._fail(record, f"it calls {marker.head} the head, but that is {self.head}", marker)
            return Final(marker, record.offset)
        return self._undo(record, marker)

    def _block(self, record: Record, marker: Marker) -> Block:
        opened = self._open.records
        if self.head is not None and (marker.block.parent, marker.block.number) != (self.head.hash, self.head.number + 1):
            self._fail(record, f"the block does not follow {self.head}", marker)
        if marker.head != marker.block:
            self._fail(record, f"it calls {marker.head} the head", marker)
        if marker.count != len(opened):
            self._fail(record, f"{len(opened)} records were read, the marker counts {marker.count}", marker)
        if marker.digest != block_digest(r.raw for r in opened):
            self._fail(record, "the records read are not those the marker signed", marker)
        return Block(marker, opened, opened[0].offset if opened else record.offset, record.offset)

    def _undo(self, record: Record, marker: Marker) -> Undo:
        removed, ancestor = marker.removed, marker.ancestor
        if not removed or ancestor is None:
            self._fail(record, "it names no removed blocks or no ancestor", marker)
        if self.head is not None and removed[0] != self.head:
            self._fail(record, f"it removes {removed[0]}, but the head is {self.head}", marker)
        for child, parent in pairwise([*removed, ancestor]):
            if child.parent != parent.hash or child.number != parent.number + 1:
                self._fail(record, f"{parent} is not the parent of {child}", marker)
        if marker.head != ancestor:
            self._fail(record, f"it calls {marker.head} the head, not the ancestor {ancestor}", marker)
        return Undo(marker, record.offset)

    def _fail(self, record: Record, fault: str, marker: Marker | None = None, hint: str = "") -> NoReturn:
        named = f"{marker.step.value} marker of block {marker.block}" if marker else "marker"
        raise LogIntegrityError(f"{self.topic}/{self.partition}@{record.offset}: {named}: {fault}", hint or HINT)
