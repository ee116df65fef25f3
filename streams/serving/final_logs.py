"""The logs of final lattice states, one for each partition, from the LatticeLog records of memory.roots, and proofs of them.

Assumes the topic is compacted: an entry has a key of its own, so all of them are there whenever a gateway starts.
Invariants: an entry is believed only if the root its writer published with it is the root computed here over all entries up
to it; a log with a gap, or with two versions of an entry, gives no answer at all. A root that was ever served can therefore
be extended, and none that was not is ever confirmed.
Memory: 168 bytes an entry; a partition gets at most one for each block that becomes final.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.codec import SchemaError
from streams.core.block import BlockRef
from streams.core.log_entry import entry_hash
from streams.core.merkle.document import ConsistencyDocument, EntryDocument
from streams.core.merkle.log import MerkleLog
from streams.errors import LogIntegrityError
from streams.serving.addresses import to_hex
from streams.serving.faults import BadRequestError, NeverPublishedError, NotFoundError
from streams.serving.wire import Block, ConsistencyView, EntryProofView, LogEntry, LogList, LogView

AHEAD_LIMIT = 10_000
HASH = 32
NUMBER = 8
ENTRY = NUMBER + 3 * HASH
HINT = "memory.roots was cut or altered, or two lattice agents wrote to it; roots you kept tell since when."


@dataclass(frozen=True, slots=True)
class FinalEntry:
    """One entry: the state of the partition when ``block`` became final."""

    block: BlockRef
    checksum: bytes

    def __bytes__(self) -> bytes:
        return self.block.number.to_bytes(NUMBER, "big") + self.block.hash + self.block.parent + self.checksum

    @classmethod
    def of(cls, wire: bytes) -> FinalEntry:
        """The inverse of ``bytes``."""
        at = NUMBER
        hash_, parent, checksum = (wire[at + HASH * n : at + HASH * (n + 1)] for n in range(3))
        return cls(BlockRef(int.from_bytes(wire[:NUMBER], "big"), hash_, parent), checksum)


class PublishedLog:
    """One partition's log as far as it was published."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self._tree = MerkleLog()
        self._entries = bytearray()
        self._ahead: dict[int, tuple[FinalEntry, bytes]] = {}
        self._fault = ""

    @property
    def size(self) -> int:
        """Entries."""
        return self._tree.frontier.size

    def take(self, index: int, entry: FinalEntry, root: bytes) -> None:
        """Adds a published entry. One that came before changes nothing; ones that came too early wait for those between."""
        if index < self.size:
            if entry != self.entry(index) or root != self._tree.root(index + 1):
                self._fault = self._fault or f"entry {index} was written twice, and differently"
        elif index > self.size:
            self._ahead[index] = (entry, root)
        else:
            self._append(entry, root)
            while not self._fault and (waiting := self._ahead.pop(self.size, None)) is not None:
                self._append(*waiting)
        if len(self._ahead) > AHEAD_LIMIT:
            self._ahead.clear()
            self._fault = self._fault or f"entry {self.size} is missing"

    def _append(self, entry: FinalEntry, root: bytes) -> None:
        frontier, _ = self._tree.frontier.append(entry_hash(self.partition, entry.block, entry.checksum))
        if frontier.root() != root:
            self._fault = self._fault or f"entry {self.size} was published with a root that its entries do not have"
            return
        self._tree.append(entry_hash(self.partition, entry.block, entry.checksum))
        self._entries += bytes(entry)

    def demand_whole(self) -> None:
        """Raises LogIntegrityError unless the log is what an honest writer leaves."""
        fault = self._fault or (f"entry {self.size} is missing" if self._ahead else "")
        if fault:
            raise LogIntegrityError(f"log of final states, partition {self.partition}: {fault}", HINT)

    def entry(self, index: int) -> FinalEntry:
        """Entry ``index``, which must be below ``size``."""
        return FinalEntry.of(bytes(self._entries[ENTRY * index : ENTRY * (index + 1)]))

    def root(self, size: int) -> bytes:
        """Root of the first ``size`` entries."""
        return self._tree.root(size)

    def inclusion(self, index: int, size: int) -> EntryDocument:
        """That the entry is number ``index`` of the first ``size``. Raises ValueError."""
        entry = self.entry(index)
        path = self._tree.prove_inclusion(index, size)
        return EntryDocument(self.root(size), index, size, entry_hash(self.partition, entry.block, entry.checksum), path)

    def consistency(self, first: int, size: int) -> ConsistencyDocument:
        """That the first ``first`` entries begin the first ``size``. Raises ValueError."""
        return ConsistencyDocument(self.root(size), size, self.root(first), first, self._tree.prove_consistency(first, size))


class FinalLogs:
    """The logs by partition, fed with records."""

    def __init__(self) -> None:
        self.logs: dict[int, PublishedLog] = {}

    def take(self, partition: int, record: Mapping[str, Any]) -> None:
        """Adds a LatticeLog record found in ``partition``. Raises SchemaError if it speaks of another."""
        if record["partition"] != partition or record["index"] < 0:
            raise SchemaError(f"entry {record['index']} of partition {record['partition']} lies in partition {partition}")
        log = self.logs.get(partition)
        if log is None:
            log = self.logs[partition] = PublishedLog(partition)
        log.take(record["index"], FinalEntry(BlockRef.of(record["block"]), record["checksum"]), record["root"])


class LogTable(Protocol):
    """Logs by partition."""

    async def fresh_logs(self) -> FinalLogs:
        """The logs as of everything committed before the call."""


class LogProver:
    """Answers about the logs, whole or not at all."""

    def __init__(self, table: LogTable) -> None:
        self._table = table

    async def list(self) -> LogList:
        """Every log that has an entry. Raises LogIntegrityError."""
        logs = (await self._table.fresh_logs()).logs
        return LogList(items=[self._view(_whole(logs[partition])) for partition in sorted(logs)])

    async def log(self, partition: int) -> LogView:
        """One log. Raises NotFoundError, LogIntegrityError."""
        return self._view(await self._log(partition))

    async def entry(self, partition: int, index: int, size: int | None) -> EntryProofView:
        """An entry with its proof. Raises NotFoundError, BadRequestError, LogIntegrityError."""
        log = await self._log(partition)
        size = _within(log, size)
        if index >= log.size:
            raise NotFoundError(f"the log of partition {partition} has {log.size} entries; there is no entry {index}")
        if index >= size:
            raise BadRequestError(f"entry {index} is not among the first {size}", "Ask with a larger size, or with none.")
        document = log.inclusion(index, size)
        return EntryProofView(entry=_entry(log, index), size=size, root=to_hex(document.root), proof=document.record())

    async def consistency(self, partition: int, first: int, size: int | None, first_root: bytes | None) -> ConsistencyView:
        """Proof that a log only grew. Raises as ``entry`` does, and NeverPublishedError for a ``first_root`` it never had."""
        log = await self._log(partition)
        size = _within(log, size)
        if first > size:
            raise BadRequestError(f"a log of {first} entries is no beginning of one of {size}", "first is the smaller one.")
        document = log.consistency(first, size)
        if first_root is not None and first_root != document.first_root:
            raise NeverPublishedError(
                f"the log of partition {partition} never had {first} entries and root {to_hex(first_root)}",
                "Whoever gave you that root showed you another log, or the log was altered since.",
            )
        return ConsistencyView(
            partition=partition,
            first=first,
            first_root=to_hex(document.first_root),
            size=size,
            root=to_hex(document.root),
            proof=document.record(),
        )

    async def _log(self, partition: int) -> PublishedLog:
        log = (await self._table.fresh_logs()).logs.get(partition)
        if log is None:
            raise NotFoundError(
                f"no final state of partition {partition} has been published", "GET /v1/logs names the partitions that have."
            )
        return _whole(log)

    def _view(self, log: PublishedLog) -> LogView:
        newest = _entry(log, log.size - 1)
        return LogView(partition=log.partition, size=log.size, root=to_hex(log.root(log.size)), newest=newest)


def newest_entry(logs: FinalLogs, partition: int) -> LogEntry | None:
    """The newest final state of a partition, if there is one. Raises LogIntegrityError."""
    log = logs.logs.get(partition)
    return None if log is None or not _whole(log).size else _entry(log, log.size - 1)


def _whole(log: PublishedLog) -> PublishedLog:
    log.demand_whole()
    return log


def _within(log: PublishedLog, size: int | None) -> int:
    if size is not None and size > log.size:
        raise NotFoundError(
            f"the log of partition {log.partition} has {log.size} entries, not {size}", "It may grow; ask again later."
        )
    return log.size if size is None else size


def _entry(log: PublishedLog, index: int) -> LogEntry:
    entry = log.entry(index)
    block = Block.of(entry.block)
    assert block is not None
    return LogEntry(partition=log.partition, index=index, block=block, checksum=to_hex(entry.checksum))
