"""Avro records in the Confluent wire format: byte 0, schema id (u32, big-endian), Avro binary.

Assumes that ``ids.json`` names every schema version ever written, and that ids are never reused.
Invariant: ``decode(encode(name, record))`` returns an equal record of the same name; a record written with an older
version is read with that version and resolved to the current one. Wrong input raises ``SchemaError``, never anything else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer

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
        for name, ids in versions.items():
            current = parse_schema(json.loads((root / f"{name}.avsc").read_text()))
            newest = max(map(int, ids))
            for key, file in ids.items():
                writer = current if int(key) == newest else parse_schema(json.loads((root / file).read_text()))
                self._readers[int(key)] = (name, writer, None if int(key) == newest else current)
            self._writers[name] = (bytes([MAGIC]) + newest.to_bytes(4, "big"), current)

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        """Returns the wire form of ``record``. Raises SchemaError if it does not fit schema ``name``."""
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
