"""Follows one marked topic, all partitions of it, outside any group, and keeps a table of what stands.

With a sink the table holds what is not final yet, so that it is as large as the node's finality lag; all else was handed over.
Without one it holds all, up to LIMIT rows.
Assumes the topic's markers are whole from where it begins. Invariants: nothing is in the table before its block's marker was
read, and count and digest are what was read (with a verifier, the signature too); a tap that is restored goes on as if it had
never stopped, since a place to go on from is right behind a unit. What was handed over since then is handed over again, under
the same ids. A partition is given up where its log or the sink failed, since it is not known what the sink has, and ``save``
is refused until it is there anew; where reading failed or was cut off it goes on from where it was.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from schemas.codec import codec
from streams.core.block import BlockRef
from streams.core.record import Record
from streams.core.segment import Assembler, Unit
from streams.errors import Category, ConfigurationError, MonmouthError, PositionLostError, Severity
from streams.ports.log import LogClient, TopicPartition
from streams.runtime.decode import decode
from streams.runtime.kafka.client import KafkaClient
from streams.settings import KafkaSettings
from streams.signing import Verifier
from streams.tap.table import Row, TapTable, record_id
from streams.topics import INTENTS, MEMORY_LOG, TRANSACTIONS

MARKED = (TRANSACTIONS, INTENTS, MEMORY_LOG)
"""Topics whose blocks end in markers. The others are logs of single steps, or tables."""
FORM = 2
"""Of the file that ``save`` writes. Form 1 was of taps without a sink alone, and did not say so; the rest of it is the same."""
LIMIT = 1_000_000


class TapFullError(MonmouthError):
    """More rows than a tap may hold."""

    category = Category.PROCESSING
    severity = Severity.MEDIUM


class TapBehindError(MonmouthError):
    """A tap that has lost partitions, and has less than what it kept before."""

    category = Category.PROCESSING
    severity = Severity.MEDIUM
    passes = True


class Sink(Protocol):
    """Where final rows go. The same row may come again, after a restart or since a command was sent twice: its id says which
    it is, and the first one counts.
    """

    async def put(self, rows: Sequence[Row]) -> None:
        """Takes rows over: of final blocks, and outside blocks."""

    async def take_back(self, blocks: Sequence[BlockRef]) -> None:
        """Drops the rows of blocks that a reorganisation below finality removed, if it has any of them."""


class _Lane:
    """One partition: where reading is, and what came of it."""

    def __init__(
        self, topic: str, partition: int, position: int, verifier: Verifier | None, sequence: int | None = None
    ) -> None:
        def verify(record: Record) -> None:
            if verifier is not None:
                verifier.verify("Marker", record.value, record.raw)

        self.table = TapTable()
        self.read = position
        """The next offset to be read; the assembler's position lags behind it inside a block."""
        self.assembler = Assembler(topic, partition, position, verify, sequence=sequence)


class Tap:
    """An asynchronous context. ``catch_up`` as often as wanted; in between the table stays as it is."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        verifier: Verifier | None = None,
        client: LogClient | None = None,
        sink: Sink | None = None,
        *,
        limit: int = LIMIT,
    ) -> None:
        """``verifier``: knows the keys that markers must be signed with; without one signatures are not looked at.

        ``limit``: rows in the table. Raises ConfigurationError.
        """
        if topic not in MARKED:
            raise ConfigurationError(f"{topic} has no markers", f"Those that have: {', '.join(MARKED)}.")
        self.topic = topic
        self._partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
        self._verifier = verifier
        self._reader = (client or KafkaClient(settings)).reader()
        self._lanes: dict[int, _Lane] = {}
        self._begun: set[int] = set()
        """Partitions that have been read or restored; those of them without a lane were given up."""
        self._sink = sink
        self._limit = limit

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._reader.close()

    async def catch_up(self) -> None:
        """Takes in what is committed, and hands over what is final.

        Raises LogIntegrityError, OutdatedError, LogError, TapFullError, what the sink raises; PositionLostError: the next call
        begins the partition anew. So it does after all that failed but a read; restore it first if that is long. One that is
        cut off, or could not read, goes on from there.
        """
        bounds = await self._reader.bounds(self._partitions)
        for place in self._partitions:
            first, end = bounds[place]
            number = place.partition
            lane = self._lanes.setdefault(number, _Lane(self.topic, number, first, self._verifier))
            self._begun.add(number)
            try:
                async for messages in self._reader.read_range(place, lane.read, end):
                    del self._lanes[number]  # until the sink has it all
                    await self._take(lane.table, lane.assembler.feed(decode(place, messages)))
                    lane.read = messages[-1].offset + 1
                    self._lanes[number] = lane
            except PositionLostError:
                self._lanes.pop(number, None)
                raise

    async def _take(self, table: TapTable, units: Sequence[Unit]) -> None:
        due: list[Row] = []
        for unit in units:
            gone = table.apply(unit)
            if self._sink is None:
                continue
            if gone:
                await self._put(due)
                due = []
                await self._sink.take_back(gone)
            due += table.hand_over()
        await self._put(due)
        if sum(map(len, self._tables(table))) > self._limit:
            hint = "Give the tap a sink for what is final." if self._sink is None else "Does the node tell of final blocks?"
            raise TapFullError(f"a tap of {self.topic} holds more than {self._limit} rows", hint)

    async def _put(self, rows: list[Row]) -> None:
        if rows and self._sink is not None:
            await self._sink.put(rows)

    def _tables(self, one: TapTable) -> list[TapTable]:
        return [one, *(lane.table for lane in self._lanes.values())]

    def rows(self, *, final_only: bool = False) -> Iterator[Row]:
        """What stands and was not handed over; ``final_only``: what is final of it."""
        for lane in self._lanes.values():
            yield from lane.table.rows(final_only=final_only)

    def records(self, *, final_only: bool = False) -> Iterator[Any]:
        """The same, decoded. What is encrypted stays so, unless the process has the keys."""
        for row in self.rows(final_only=final_only):
            yield codec().decode(row.raw)[1]

    def save(self, file: Path) -> None:
        """Keeps where it is and what the table holds; the file is replaced as a whole, once it is on the disk.

        Raises TapBehindError while a partition that failed is not there anew: the file would lack it from then on.
        """
        if lost := sorted(self._begun - self._lanes.keys()):
            numbers = ", ".join(map(str, lost))
            raise TapBehindError(
                f"a tap of {self.topic} has lost what it held of partition {numbers}",
                "Nothing was written. Restore it from what was kept before, or catch up until that succeeds.",
            )
        lanes = {str(number): _saved(lane) for number, lane in self._lanes.items()}
        part = file.with_name(file.name + ".part")
        with part.open("w") as target:
            json.dump({**self._kind(), "lanes": lanes}, target)
            target.flush()
            os.fsync(target.fileno())
        part.replace(file)

    def _kind(self) -> dict[str, Any]:
        sink = self._sink is not None
        return {"form": FORM, "topic": self.topic, "partitions": len(self._partitions), "handed_over": sink}

    def restore(self, file: Path) -> None:
        """Goes on from what ``save`` kept. Raises ConfigurationError if that is of another topic or form, or of a tap that had
        a sink where this has none, or the other way round.
        """
        kept = json.loads(file.read_text())
        if kept.get("form") == 1:
            kept |= {"form": FORM, "handed_over": False}
        if kept | self._kind() != kept:
            raise ConfigurationError(f"{file} was not kept by a tap of {self.topic}", "Remove it: the tap then begins anew.")
        self._lanes = {int(number): self._restored(int(number), lane) for number, lane in kept["lanes"].items()}
        self._begun = set(self._lanes)

    def _restored(self, partition: int, kept: Mapping[str, Any]) -> _Lane:
        lane = _Lane(self.topic, partition, kept["position"], self._verifier, kept["sequence"])
        lane.assembler.head = _ref(kept["head"])
        lane.table.final = _ref(kept["final"])
        for block, values in kept["blocks"]:
            ref = _ref(block)
            assert ref is not None
            lane.table.open(ref)
            self._fill(lane, ref, values)
        self._fill(lane, None, kept["outside"])
        return lane

    def _fill(self, lane: _Lane, block: BlockRef | None, values: list[str]) -> None:
        for text in values:
            raw = b64decode(text)
            kind, value = codec().decode(raw)
            lane.table.add(block, record_id(Record(self.topic, 0, 0, None, kind, value, raw)), raw)


def _saved(lane: _Lane) -> dict[str, Any]:
    table, assembler = lane.table, lane.assembler
    return {
        "position": assembler.position,
        "sequence": assembler.sequence,
        "head": _plain(assembler.head),
        "final": _plain(table.final),
        "blocks": [[_plain(block), [_text(row) for row in rows]] for block, rows in table.blocks()],
        "outside": [_text(row) for row in table.outside()],
    }


def _text(row: Row) -> str:
    return b64encode(row.raw).decode()


def _plain(ref: BlockRef | None) -> dict[str, Any] | None:
    return None if ref is None else {"number": ref.number, "hash": ref.hash.hex(), "parent": ref.parent.hex()}


def _ref(plain: Mapping[str, Any] | None) -> BlockRef | None:
    if plain is None:
        return None
    return BlockRef(plain["number"], bytes.fromhex(plain["hash"]), bytes.fromhex(plain["parent"]))
