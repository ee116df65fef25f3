"""An archive of the log: topics copied to files, for when the log itself has lost its beginning.

A folder: ``manifest.json`` and, for each partition, Avro container files (deflate) of records {offset, key, value, timestamp}
in log order, as they lie in the log: sealed values stay sealed. Files of earlier versions have no timestamps. The manifest
names each file with its range of offsets, count and BLAKE3, and is signed by the pipeline's key. Writing again goes on where
the archive ends.
Invariants: the files of a partition follow each other without a gap; nothing is read of a file whose hash is not that of the
manifest, nor of a manifest whose signature does not hold; a manifest is replaced as a whole, after its files are on disk.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import fastavro
from blake3 import blake3

from streams.errors import Category, LogIntegrityError, MonmouthError, PositionLostError, Severity
from streams.ports.log import LogClient, LogConsumer, LogProducer, LogReader, Message, TopicPartition
from streams.signing import Signer, Verifier
from streams.topics import COMMANDS, EVICTIONS, INTENTS, MEMORY_LOG, TRANSACTIONS

FORMAT = "monmouth/archive/1"
MANIFEST = "manifest.json"
KEPT = (TRANSACTIONS, COMMANDS, EVICTIONS, INTENTS, MEMORY_LOG)
"""Topics that stream agents fold."""
FILE_BYTES = 64 * 1024 * 1024
LARGEST = 4 * FILE_BYTES
"""Bytes of a file that are read; none that was written by this is so large, so a longer one was altered."""
BATCH = 1_000
SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": "ArchivedRecord",
        "namespace": "monmouth",
        "fields": [
            {"name": "offset", "type": "long"},
            {"name": "key", "type": ["null", "bytes"]},
            {"name": "value", "type": ["null", "bytes"]},
            {"name": "timestamp", "type": "long", "default": 0},
        ],
    }
)


class ArchiveError(MonmouthError):
    """No archive, or one that cannot be written or is not for this log."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM


class ArchivedRecord(NamedTuple):
    """A record as it lay in the log."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """One file. It holds all records with ``first`` <= offset < ``next``."""

    file: str
    topic: str
    partition: int
    first: int
    next: int
    records: int
    blake3: str


class Archive:
    """An archive that was opened, its manifest checked."""

    def __init__(self, folder: Path, prefix: str, pieces: Sequence[Piece]) -> None:
        self.folder = folder
        self.prefix = prefix
        self.pieces = list(pieces)

    @classmethod
    def open(cls, folder: Path, trusted: Verifier, prefix: str) -> Archive:
        """Raises ArchiveError if there is none of these topics, LogIntegrityError if it was altered."""
        try:
            said = json.loads((folder / MANIFEST).read_text())
            signature = bytes.fromhex(said.pop("signature"))
            pieces = [Piece(**piece) for piece in said["files"]]
        except FileNotFoundError:
            raise ArchiveError(f"{folder} holds no archive", "Make one: monmouth archive write FOLDER") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LogIntegrityError(f"{folder / MANIFEST} cannot be read: {error}") from None
        if not trusted.holds(signature, _message(said)):
            raise LogIntegrityError(
                f"{folder / MANIFEST}: the signature does not hold",
                "The archive was altered, or written by a pipeline whose key is not trusted here.",
            )
        if (said["format"], said["prefix"]) != (FORMAT, prefix):
            raise ArchiveError(f"{folder} is a {said['format']} of the topics {said['prefix']}*, not of {prefix}*")
        _check_ranges(folder, pieces)
        return cls(folder, said["prefix"], pieces)

    def range(self, source: TopicPartition) -> tuple[int, int] | None:
        """First offset and the one after the last; None if nothing of it is here."""
        found = self._of(source)
        return (found[0].first, found[-1].next) if found else None

    def read(self, source: TopicPartition, start: int, stop: int) -> Iterator[list[ArchivedRecord]]:
        """Records with ``start`` <= offset < ``stop``, in batches. Raises LogIntegrityError for a file that was altered."""
        for piece in self._of(source):
            if piece.next <= start or piece.first >= stop:
                continue
            records = (record for record in self._records(piece) if start <= record.offset < stop)
            while batch := [record for record, _ in zip(records, range(BATCH), strict=False)]:
                yield batch

    def check(self) -> int:
        """Reads every file; how many records there are. Raises LogIntegrityError."""
        for piece in self.pieces:
            offsets = [record.offset for record in self._records(piece)]
            if len(offsets) != piece.records or any(not piece.first <= offset < piece.next for offset in offsets):
                raise LogIntegrityError(f"{piece.file} does not hold what the manifest says")
        return sum(piece.records for piece in self.pieces)

    def _of(self, source: TopicPartition) -> list[Piece]:
        return sorted((p for p in self.pieces if (p.topic, p.partition) == source), key=lambda piece: piece.first)

    def _records(self, piece: Piece) -> Iterator[ArchivedRecord]:
        path = self.folder / piece.file
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST)  # once: what is read on is what was hashed, whatever becomes of the file
        except OSError as error:
            raise LogIntegrityError(f"{path}: {error.strerror or error}; the manifest names it") from None
        if blake3(data).hexdigest() != piece.blake3:
            raise LogIntegrityError(f"{path} was altered: it is not the file that the manifest names")
        for row in fastavro.reader(BytesIO(data)):
            said: dict[str, Any] = row  # type: ignore[assignment]
            yield ArchivedRecord(said["offset"], said["key"], said["value"], said.get("timestamp", 0))


def _check_ranges(folder: Path, pieces: Sequence[Piece]) -> None:
    ends: dict[tuple[str, int], int] = {}
    for piece in sorted(pieces, key=lambda each: (each.topic, each.partition, each.first)):
        if ends.get((piece.topic, piece.partition), piece.first) != piece.first:
            raise LogIntegrityError(f"{folder}: {piece.topic}/{piece.partition} has a gap at offset {piece.first}")
        ends[piece.topic, piece.partition] = piece.next


def _message(said: Mapping[str, Any]) -> bytes:
    return FORMAT.encode() + b"\n" + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


class Writer:
    """Adds what the log holds to an archive."""

    def __init__(self, archive: Archive, signer: Signer) -> None:
        self._archive = archive
        self._signer = signer

    async def add(self, reader: LogReader, source: TopicPartition) -> int:
        """What the archive has not got of one partition; how many records. Raises ArchiveError, LogError, PositionLostError."""
        first, stop = (await reader.bounds([source]))[source]
        held = self._archive.range(source)
        start = first if held is None else held[1]
        if start < first:
            raise ArchiveError(
                f"{source.topic}/{source.partition}: the archive ends at {start}, the log begins at {first}",
                "What lies between is lost; write a new archive into another folder.",
            )
        rows: list[dict[str, Any]] = []
        size, count, begins = 0, 0, start
        async for messages in reader.read_range(source, start, stop):
            for message in messages:
                row = {"offset": message.offset, "key": message.key, "value": message.value, "timestamp": message.timestamp}
                rows.append(row)
                size += len(message.value or b"") + len(message.key or b"")
                if size >= FILE_BYTES:
                    begins, count = self._put(source, begins, message.offset + 1, rows), count + len(rows)
                    rows, size = [], 0
        if stop > begins:
            self._put(source, begins, stop, rows)
        return count + len(rows)

    def _put(self, source: TopicPartition, first: int, stop: int, rows: list[dict[str, Any]]) -> int:
        name = f"{source.topic}/{source.partition}/{first:020d}.avro"
        path = self._archive.folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = BytesIO()
        fastavro.writer(made, SCHEMA, rows, codec="deflate")
        data = made.getvalue()
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._archive.pieces.append(Piece(name, *source, first, stop, len(rows), blake3(data).hexdigest()))
        self._sign()
        return stop

    def _sign(self) -> None:
        said = {
            "format": FORMAT,
            "prefix": self._archive.prefix,
            "files": [asdict(piece) for piece in self._archive.pieces],
        }
        signed = said | {"signature": self._signer.sign_bytes(_message(said)).hex()}
        new = self._archive.folder / f"{MANIFEST}.new"
        with new.open("w") as file:
            file.write(json.dumps(signed, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._archive.folder / MANIFEST)


def to_write(folder: Path, trusted: Verifier, prefix: str) -> Archive:
    """The archive in ``folder``, made if there is none. Raises as ``Archive.open`` does, ArchiveError for another folder."""
    if (folder / MANIFEST).exists():
        return Archive.open(folder, trusted, prefix)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise ArchiveError(f"{folder} is neither empty nor an archive", "Name another folder.")
    except OSError as error:
        raise ArchiveError(f"cannot write to {folder}: {error.strerror or error}") from None
    return Archive(folder, prefix, [])


class ArchivedReader:
    """A LogReader of the log with an archive in front of it."""

    def __init__(self, archive: Archive, live: LogReader) -> None:
        self._archive = archive
        self._live = live

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        found = await self._live.bounds(partitions)
        return {source: (self._first(source, first), stop) for source, (first, stop) in found.items()}

    def _first(self, source: TopicPartition, first: int) -> int:
        held = self._archive.range(source)
        return held[0] if held is not None and held[0] < first <= held[1] else first

    async def read_range(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[Sequence[Message]]:
        first, _ = (await self._live.bounds([partition]))[partition]
        if start < first:
            held = self._archive.range(partition)
            if held is None or not held[0] <= start or held[1] < first:
                where = f"{partition.topic}/{partition.partition}@{start}"
                raise PositionLostError(f"neither the log nor the archive holds {where}")
            end = min(stop, held[1])
            for batch in self._archive.read(partition, start, end):
                yield batch
            start = end
        if start < stop:
            async for messages in self._live.read_range(partition, start, stop):
                yield messages

    async def close(self) -> None:
        await self._live.close()


class ArchivedClient:
    """A LogClient whose readers have an archive in front of the log."""

    def __init__(self, archive: Archive, live: LogClient) -> None:
        self._archive = archive
        self._live = live

    def consumer(self, group: str, topics: Sequence[str]) -> LogConsumer:
        return self._live.consumer(group, topics)

    def reader(self) -> ArchivedReader:
        return ArchivedReader(self._archive, self._live.reader())

    def producer(self, group: str, partition: int) -> LogProducer:
        return self._live.producer(group, partition)
