"""Avro records in the Confluent wire format: byte 0, schema id (u32, big-endian), Avro binary.

Assumes that ``ids.json`` names every schema version ever written, and that ids are never reused.
Invariant: ``decode(encode(name, record))`` returns an equal record of the same name; a record written with an older
version is read with that version and resolved to the current one. Wrong input raises ``SchemaError``, never anything else.
Current versions go through ``schemas.compiled``; what that does not take, wrong input above all, goes to fastavro, whose word
counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from schemas.compiled import Read, find
from schemas.digest import schema_digest

ROOT = Path(__file__).parent
MAGIC = 0


class SchemaError(ValueError):
    """Bytes are not a record this codec knows, or a record does not fit its schema."""


class Codec:
    """Encodes and decodes every record type of the product. Stateless after construction; share one per process."""

    def __init__(self, root: Path = ROOT) -> None:
        versions: dict[str, dict[str, str]] = json.loads((root / "ids.json").read_text())
        self._writers: dict[str, tuple[bytes, Any]] = {}
        self._readers: dict[int, tuple[str, Any, Any]] = {}
        self._write: dict[str, Callable[[Any], bytes]] = {}
        self._read: dict[bytes, tuple[str, Read]] = {}
        for name, ids in versions.items():
            schema = json.loads((root / f"{name}.avsc").read_text())
            current = parse_schema(schema)
            newest = max(map(int, ids))
            for key, file in ids.items():
                writer = current if int(key) == newest else parse_schema(json.loads((root / file).read_text()))
                self._readers[int(key)] = (name, writer, None if int(key) == newest else current)
            prefix = bytes([MAGIC]) + newest.to_bytes(4, "big")
            self._writers[name] = (prefix, current)
            if compiled := find(name, schema_digest(schema)):
                self._read[prefix] = (name, compiled[0])
                self._write[name] = partial(compiled[1], prefix)

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        """Returns the wire form of ``record``. Raises SchemaError if it does not fit schema ``name``."""
        try:
            return self._write[name](record)
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

    def decode(self, value: bytes | None) -> tuple[str, Any]:
        """Returns (record name, record). Raises SchemaError for anything that is not exactly one known record."""
        try:
            name, read = self._read[value[:5]]  # type: ignore[index]
            record, end = read(value, 5)  # type: ignore[arg-type]
            if end == len(value):  # type: ignore[arg-type]
                return name, record
        except Exception:  # whatever the reason, fastavro knows how to say it
            return self._decode_any(value)
        return self._decode_any(value)

    def _decode_any(self, value: bytes | None) -> tuple[str, Any]:
        name, writer, reader = self._lookup(value)
        assert value is not None
        body = BytesIO(value)
        body.seek(5)
        try:
            record = schemaless_reader(body, writer, reader)
        except Exception as error:  # fastavro raises many kinds on hostile bytes
            raise SchemaError(f"{name}: not readable: {type(error).__name__}: {error}") from error
        if body.tell() != len(value):
            raise SchemaError(f"{name}: {len(value) - body.tell()} bytes too many")
        return name, record

    def name_of(self, value: bytes | None) -> str:
        """Returns the record name without decoding the body. Raises SchemaError as ``decode`` does for the header."""
        return self._lookup(value)[0]

    def _lookup(self, value: bytes | None) -> tuple[str, Any, Any]:
        if value is None or len(value) < 5 or value[0] != MAGIC:
            raise SchemaError("not in the Confluent wire format (magic byte 0 and a schema id)")
        schema_id = int.from_bytes(value[1:5], "big")
        try:
            return self._readers[schema_id]
        except KeyError:
            raise SchemaError(f"unknown schema id {schema_id}") from None


@lru_cache(maxsize=1)
def codec() -> Codec:
    """The process-wide codec."""
    return Codec()
