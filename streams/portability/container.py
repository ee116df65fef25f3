"""A package as an Avro object container file, readable by any Avro library: one Memory record an entry.

The manifest and the attestation are entries of the file's metadata (``monmouth.manifest``, ``monmouth.attestation``). The
marker between blocks is taken from the manifest instead of at random, so that equal packages have equal bytes.
Invariants: ``write(read(data)) == data``; a file that this would write otherwise is refused. Reading holds the memories and one
block, never the file, and a head, a block or a memory larger than any of ours is refused before it is made.
"""

from __future__ import annotations

import json
from functools import cache
from io import BytesIO
from typing import Any, BinaryIO, cast

from blake3 import blake3
from fastavro import parse_schema, reader, writer

from schemas.codec import ROOT
from schemas.records import Memory
from streams.agents.memory_limits import MAX_EDGES, MAX_TAGS
from streams.portability.errors import ALTERED, PackageError
from streams.portability.lines import LONGEST_LINE, wrapped
from streams.portability.package import MOST_MEMORIES, Package, demand_whole
from streams.portability.record_json import LONGEST_LINE as LONGEST_RECORD
from streams.portability.record_json import canonical

MAGIC = b"Obj\x01"
_SCHEMA: Any = parse_schema(json.loads((ROOT / "history" / "Memory.14.avsc").read_text()))
"""Of packages, whatever the log's own has got since: what came after says nothing of what was remembered."""


@cache
def _written_schema() -> str:
    out = BytesIO()
    writer(out, _SCHEMA, [], codec="null")
    return str(reader(BytesIO(out.getvalue())).metadata["avro.schema"])


def write(package: Package) -> bytes:
    """The file. Not compressed: the envelope around it is."""
    out = BytesIO()
    write_to(out, package)
    return out.getvalue()


def write_to(out: BinaryIO, package: Package) -> None:
    """As ``write``."""
    metadata = {"monmouth.manifest": canonical({"manifest": package.manifest}).decode()}
    if package.attestation is not None:
        metadata["monmouth.attestation"] = canonical({"attestation": package.attestation}).decode()
    writer(out, _SCHEMA, list(package.memories), codec="null", metadata=metadata, sync_marker=package.digest[:16])


def read(data: bytes) -> Package:
    """The inverse. Raises PackageError if a byte is not as it was written."""
    return read_from(BytesIO(data))


def read_from(source: BinaryIO) -> Package:
    """As ``read``."""
    watched = _Watched(source)
    try:
        manifest, attestation, memories = _said(watched)
    except PackageError:
        raise
    except Exception:  # an Avro library meets hostile bytes with any error at all
        raise PackageError("the file is no Avro container of memories", ALTERED) from None
    package = Package(
        wrapped(manifest.encode(), "manifest"),
        tuple(memories),
        None if attestation is None else wrapped(attestation.encode(), "attestation"),
    )
    written = _Digest()
    try:
        write_to(cast("BinaryIO", written), package)
        same = written.value == watched.value
    except Exception:  # records of a foreign schema do not fit ours, each in its own way
        same = False
    if not same:
        raise PackageError("the file is not as this product writes it", ALTERED)
    demand_whole(package)
    return package


def _said(watched: _Watched) -> tuple[str, str | None, list[Memory]]:
    source = reader(cast("BinaryIO", watched))
    watched.in_head = False
    said: dict[str, str] = source.metadata
    if source.codec != "null" or said["avro.schema"] != _written_schema():  # few bytes could ask for any number of objects
        raise PackageError("the file has another schema or compression than this product writes", ALTERED)
    memories: list[Memory] = []
    for record in source:
        memory = cast("Memory", {**record, "known_at": None})  # type: ignore[dict-item]
        if len(memory["edges"]) > MAX_EDGES or len(memory["tags"]) > MAX_TAGS:
            raise PackageError("a memory has more edges or tags than one may have")
        memories.append(memory)
        if len(memories) > MOST_MEMORIES:
            raise PackageError(f"more than {MOST_MEMORIES} memories")
    return said["monmouth.manifest"], said.get("monmouth.attestation"), memories


class _Digest:
    """A file that keeps the digest of what is written to it."""

    def __init__(self) -> None:
        self._hash = blake3()

    @property
    def value(self) -> bytes:
        return self._hash.digest()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        return len(data)

    def flush(self) -> None:
        pass

    def seekable(self) -> bool:
        return False


class _Watched(_Digest):
    """A file read from its beginning to its end, with the digest of what was read. ``in_head``: what comes is metadata."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self._head = 3 * LONGEST_LINE
        self.in_head = True

    def read(self, size: int) -> bytes:
        """Raises PackageError for more at once than we write at once."""
        if not 0 <= size <= (LONGEST_LINE if self.in_head else LONGEST_RECORD):
            raise PackageError(f"the file has a part of {size} bytes", ALTERED)
        self._head -= size if self.in_head else 0
        if self._head < 0:
            raise PackageError("the file's metadata is too large", ALTERED)
        data = self._source.read(size)
        self.write(data)
        return data
