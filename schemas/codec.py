"""Avro records in the Confluent wire format: byte 0, schema id (u32, big-endian), Avro binary.

Assumes that ``ids.json`` names every schema version ever written, and that ids are never reused.
Invariant: ``decode(encode(name, record))`` returns an equal record of the same name; a record written with an older
version is read with that version and resolved to the current one. Wrong input raises ``SchemaError``, never anything else.
Ids grow over all record types, so that one number says what an older version of the product can read: ``bound`` is for what
is written while such a version still reads; what is read knows no bound.
Current versions go through cavro, which is two to three times quicker; what it refuses, and what an older version wrote, goes
to fastavro, whose word counts and whose messages are shown.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import cavro
from blake3 import blake3
from fastavro import parse_schema, schemaless_reader, schemaless_writer

ROOT = Path(__file__).parent
MAGIC = 0
HEADER = 5
"""Bytes in front of the record: magic byte and schema id."""
VEIL = 16
OPEN = b"\xff"
"""In front of bytes that were not sealed."""
PLAUSIBLE = 1_000
"""How far above the newest known id a newer version's may lie: ids are given out one by one; beyond that, bytes are garbage."""
_OPTIONS = cavro.DEFAULT_OPTIONS.replace(record_decodes_to_dict=True, coerce_int_to_float=False)
_HOLD_TYPES = {"type", "fields", "items", "values"}
"""Parts of a schema in which other schemas stand."""
_read_end = cavro.Schema('{"type": "fixed", "name": "End", "size": 16}', options=_OPTIONS).binary_read
_END = secrets.token_bytes(16)
"""Put behind a record before it is read, and read behind it: anything else there is bytes too many. Not to be guessed."""


class SchemaError(ValueError):
    """Bytes are not a record this codec knows, or a record does not fit its schema."""


class UnknownSchemaError(SchemaError):
    """The wire format, with a schema id a little above those this version knows: a newer one wrote it."""


class Codec:
    """Encodes and decodes every record type of the product. Stateless after construction; share one per process.

    ``bound``: highest schema id to write (None: any). A record type that has none so low is written in its first version.
    """

    def __init__(self, root: Path = ROOT, bound: int | None = None) -> None:
        self.root = root
        self.bound = bound
        versions: dict[str, dict[str, str]] = json.loads((root / "ids.json").read_text())
        self._writers: dict[str, tuple[bytes, Any]] = {}
        self._readers: dict[int, tuple[str, Any, Any]] = {}
        self._quick: dict[str, tuple[bytes, Any]] = {}
        self._quick_read: dict[bytes, tuple[str, Any]] = {}
        for name, ids in versions.items():
            current = parse_schema(json.loads((root / f"{name}.avsc").read_text()))
            newest = max(map(int, ids))
            for key, file in ids.items():
                writer = current if int(key) == newest else parse_schema(json.loads((root / file).read_text()))
                self._readers[int(key)] = (name, writer, None if int(key) == newest else current)
            written = self._written(map(int, ids), bound)
            text = (root / (f"{name}.avsc" if written == newest else ids[str(written)])).read_text()
            self._writers[name] = (_prefix(written), self._readers[written][1])
            self._quick[name] = (_prefix(written), cavro.Schema(text, options=_OPTIONS).binary_encode)
            text = (root / f"{name}.avsc").read_text()
            self._quick_read[_prefix(newest)] = (name, cavro.Schema(_wide(json.loads(text)), options=_OPTIONS).binary_read)

    @staticmethod
    def _written(ids: Iterable[int], bound: int | None) -> int:
        known = sorted(ids)
        return max((id_ for id_ in known if bound is None or id_ <= bound), default=known[0])

    @property
    def newest(self) -> int:
        """Highest schema id that can be read."""
        return max(self._readers)

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        """Returns the wire form of ``record``. Raises SchemaError if it does not fit schema ``name``."""
        try:
            prefix, encode = self._quick[name]
            return prefix + encode(record)  # type: ignore[no-any-return]
        except Exception:  # whatever the reason, fastavro knows how to say it
            return self._encode_any(name, record)

    def _encode_any(self, name: str, record: Mapping[str, Any]) -> bytes:
        try:
            prefix, schema = self._writers[name]
        except KeyError:
            raise SchemaError(f"no schema named {name!r}") from None
        out = BytesIO()
        out.write(prefix)
        try:
            schemaless_writer(out, schema, record)
        except Exception as error:
            raise SchemaError(f"{name}: {error}") from error
        return out.getvalue()

    def encode_open(self, name: str, record: Mapping[str, Any]) -> bytes:
        """As ``encode``, and in the clear whatever the codec does: what signatures are over. Never to be kept."""
        return Codec.encode(self, name, record)

    def decode(self, value: bytes | None) -> tuple[str, Any]:
        """Returns (record name, record). Raises SchemaError for anything that is not exactly one known record."""
        try:
            name, read = self._quick_read[value[:HEADER]]  # type: ignore[index]
            source = cavro.MemoryReader(value[HEADER:] + _END)  # type: ignore[index]
            record = read(source)
            if _read_end(source) == _END:
                return name, record
        except Exception:  # whatever the reason, fastavro knows how to say it
            return self._decode_any(value)
        return self._decode_any(value)  # bytes are left over

    def decode_closed(self, value: bytes | None) -> tuple[str, Any]:
        """As ``decode``, but what is sealed stays so: for who needs what stands in the clear alone."""
        return Codec.decode(self, value)

    def _decode_any(self, value: bytes | None) -> tuple[str, Any]:
        name, writer, reader = self._lookup(value)
        assert value is not None
        return name, self._read(name, value, writer, reader)

    @staticmethod
    def _read(name: str, value: bytes, writer: Any, reader: Any = None) -> Any:
        body = BytesIO(value)
        body.seek(HEADER)
        try:
            record = schemaless_reader(body, writer, reader)
        except Exception as error:  # fastavro raises many kinds on hostile bytes
            raise SchemaError(f"{name}: not readable: {type(error).__name__}: {error}") from error
        if body.tell() != len(value):
            raise SchemaError(f"{name}: {len(value) - body.tell()} bytes too many")
        return record

    def amend(self, value: bytes, **fields: Any) -> bytes:
        """``value`` with these fields instead, in the clear, in the very version it was written in.

        Raises SchemaError as ``decode`` does.
        """
        name, writer, _ = self._lookup(value)
        record = self._opened(name, self._read(name, value, writer))
        out = BytesIO()
        out.write(value[:HEADER])
        schemaless_writer(out, writer, {**record, **fields})
        return out.getvalue()

    def unprepared(self, agents: Iterable[bytes]) -> set[bytes]:
        """Those agents (20 bytes) that ``prepare`` has something to do for."""
        return set()

    def prepare(self, agents: Iterable[bytes]) -> None:
        """Makes what writing of these agents takes, all at once. It would be made one by one else; waits for a disk."""

    def erased(self, agent: bytes) -> bool:
        """Whether nothing of this agent can be read or written any more."""
        return False

    def named(self, agent: bytes) -> bool:
        """Whether anything can be kept under a ``veil`` of this agent: it is not erased, and was written of before."""
        return True

    def seal(self, kind: str, agent: bytes, key: bytes, body: bytes) -> bytes:
        """``body`` as a store may keep it: of one agent, under ``key``, among rows of ``kind``. Here as it is."""
        return OPEN + body

    def veil(self, agent: bytes, body: bytes) -> bytes:
        """16 bytes for private ``body`` of one agent, where an index must find equal ones. Here anybody can make them."""
        return blake3(body).digest(VEIL)

    def unseal(self, kind: str, agent: bytes, key: bytes, sealed: bytes) -> bytes | None:
        """The inverse; None if the agent was erased. Raises SchemaError for what was sealed with keys."""
        if sealed[:1] != OPEN:
            raise SchemaError(f"a row of {kind} is sealed, and this process has no keys")
        return sealed[1:]

    def _opened(self, name: str, record: dict[str, Any]) -> dict[str, Any]:
        return record

    def is_current(self, name: str, value: bytes) -> bool:
        """Whether ``value`` is a record ``name`` of the newest version, and ``encode`` writes that version."""
        prefix = value[:HEADER]
        return prefix == self._quick[name][0] and prefix in self._quick_read

    def name_of(self, value: bytes | None) -> str:
        """Returns the record name without decoding the body. Raises SchemaError as ``decode`` does for the header."""
        return self._lookup(value)[0]

    def _lookup(self, value: bytes | None) -> tuple[str, Any, Any]:
        if value is None or len(value) < HEADER or value[0] != MAGIC:
            raise SchemaError("not in the Confluent wire format (magic byte 0 and a schema id)")
        schema_id = int.from_bytes(value[1:5], "big")
        try:
            return self._readers[schema_id]
        except KeyError:
            if not self.newest < schema_id <= self.newest + PLAUSIBLE:
                raise SchemaError(f"unknown schema id {schema_id}") from None
            raise UnknownSchemaError(f"unknown schema id {schema_id}, {self.newest} is the newest known here") from None


def _prefix(schema_id: int) -> bytes:
    return bytes([MAGIC]) + schema_id.to_bytes(4, "big")


def _wide(schema: Any) -> Any:
    """``schema`` with every int a long, which is written the same: cavro cuts an int at 32 bits without a word."""
    if isinstance(schema, list):
        return [_wide(part) for part in schema]
    if isinstance(schema, dict):
        return {key: _wide(part) if key in _HOLD_TYPES else part for key, part in schema.items()}
    return "long" if schema == "int" else schema


_chosen: list[Codec] = []


def codec() -> Codec:
    """The process-wide codec."""
    return _chosen[-1] if _chosen else _default()


@lru_cache(maxsize=1)
def _default() -> Codec:
    return Codec()


def use(chosen: Codec | None) -> None:
    """Makes ``chosen`` the process-wide codec, None the one that writes what is newest. Before anything is written."""
    _chosen[:] = [] if chosen is None else [chosen]


@contextmanager
def using(chosen: Codec) -> Iterator[None]:
    """Makes ``chosen`` the process-wide codec until the end of the block, or until another block that began later."""
    _chosen.append(chosen)
    try:
        yield
    finally:
        _chosen[:] = [other for other in _chosen if other is not chosen]
