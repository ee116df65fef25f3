"""The private fields of a record as bytes: the part of its schema that is encrypted.

What is named in ``CLEAR`` stands in the open, since topics are routed and stores are indexed by it; every other field is
private, so that one a later version adds is private unless somebody says otherwise here.
Form: schema id (u32, big-endian), then the private fields in Avro. Invariant: what one schema version wrote, every later one
reads, by the same rules as whole records.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import cavro
from fastavro import parse_schema, schemaless_reader, schemaless_writer

from schemas.codec import ROOT, SchemaError
from schemas.defaults import plain_command, plain_memory
from streams.vault.errors import VaultError

CLEAR: Mapping[str, frozenset[str]] = {
    "Memory": frozenset(
        "id agent type source block transaction transaction_index importance timestamp form session sealed known_at".split()  # noqa: SIM905
    ),
    "MemoryCommand": frozenset(
        "id agent op memory_id type importance timestamp session author public_key proof sealed".split()  # noqa: SIM905
    ),
    "Session": frozenset(
        [
            "id",
            "agent",
            "state",
            "opened",
            "expires",
            "ended",
            "max_memories",
            "collaborators",
            "promote",
            "merged_into",
            "count",
            "taken",
            "signature",
            "sealed",
        ]
    ),
    "Embedding": frozenset("memory_id agent block model model_hash backend sealed".split()),  # noqa: SIM905
}
EMPTY: Mapping[str, Mapping[str, Any]] = {
    "Memory": {**plain_memory(b"", b"", "EPISODIC", "CHAIN", 0)},
    "MemoryCommand": {**plain_command(b"", b"", "STORE", 0)},
    "Session": {"context": "", "goal": ""},
    "Embedding": {"vector": b"", "text_digest": bytes(32)},
}
"""What stands in the place of private fields."""
_OPTIONS = cavro.DEFAULT_OPTIONS.replace(record_decodes_to_dict=True, coerce_int_to_float=False)


class PrivatePart:
    """The private fields of one record type, written in schema version ``written``."""

    def __init__(self, name: str, versions: Mapping[str, str], root: Path = ROOT, bound: int | None = None) -> None:
        """``bound``: the highest version that may be written, of those that know sealed records."""
        self.name = name
        self._root = root
        self._files = {int(key): file for key, file in versions.items()}
        self.oldest = min(version for version in self._files if self._seals(version))
        self.written = max((v for v in self._files if self.oldest <= v <= (bound or v)), default=self.oldest)
        schema = self._schema(self.written)
        self.fields = [field["name"] for field in schema["fields"]]
        self.empty = {field: EMPTY[name][field] for field in self.fields}
        self._prefix = self.written.to_bytes(4, "big")
        self._current = parse_schema(schema)
        quick = cavro.Schema(json.dumps(schema), options=_OPTIONS)
        self._encode, self._read = quick.binary_encode, quick.binary_read
        self._writers: dict[bytes, Any] = {}

    def _schema(self, version: int) -> dict[str, Any]:
        schema = self._read_file(version)
        named: dict[str, Any] = {}
        for field in schema["fields"]:
            _collect(field["type"], named)
        seen: set[str] = set()
        kept = [field for field in schema["fields"] if field["name"] not in CLEAR[self.name]]
        return {
            "type": "record",
            "name": f"Private{self.name}",
            "fields": [{**field, "type": _whole(field["type"], named, seen)} for field in kept],
        }

    def _read_file(self, version: int) -> dict[str, Any]:
        file = f"{self.name}.avsc" if version == max(self._files) else self._files[version]
        schema: dict[str, Any] = json.loads((self._root / file).read_text())
        return schema

    def _seals(self, version: int) -> bool:
        return any(field["name"] == "sealed" for field in self._read_file(version)["fields"])

    def is_empty(self, record: Mapping[str, Any]) -> bool:
        """Whether there is nothing to hide. A signature is, but alone: it would let private fields be guessed."""
        return all(record[field] == value for field, value in self.empty.items() if field != "signature")

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """The private fields. Raises SchemaError as the whole record would."""
        try:
            return self._prefix + self._encode(record)  # type: ignore[no-any-return]
        except Exception:  # whatever the reason, fastavro knows how to say it
            out = BytesIO()
            try:
                schemaless_writer(out, self._current, {field: record[field] for field in self.fields})
            except Exception as error:
                raise SchemaError(f"{self.name}: {error}") from error
            return self._prefix + out.getvalue()

    def decode(self, wire: bytes) -> dict[str, Any]:
        """The inverse. Raises VaultError for what only a newer version can read."""
        if wire[:4] == self._prefix:  # opened with the agent's key, so these are the bytes that were written
            fields: dict[str, Any] = self._read(cavro.MemoryReader(wire[4:]))
            return fields
        writer = self._writer(wire[:4])
        body = BytesIO(wire[4:])
        found: dict[str, Any] = schemaless_reader(body, writer, self._current)  # type: ignore[assignment]
        if body.tell() != len(wire) - 4:
            raise VaultError(f"{self.name}: what was sealed has bytes too many")
        return found

    def _writer(self, prefix: bytes) -> Any:
        writer = self._writers.get(prefix)
        if writer is None:
            version = int.from_bytes(prefix, "big")
            if version not in self._files:
                raise VaultError(f"{self.name}: sealed in schema {version}, which this version does not know", "Upgrade it.")
            writer = self._writers[prefix] = parse_schema(self._schema(version))
        return writer


def _collect(schema: Any, named: dict[str, Any]) -> None:
    if isinstance(schema, list):
        for part in schema:
            _collect(part, named)
    elif isinstance(schema, dict):
        if "name" in schema:
            named[schema["name"]] = schema
        for field in schema.get("fields", ()):
            _collect(field["type"], named)
        for key in ("items", "values"):
            _collect(schema.get(key), named)


def _whole(schema: Any, named: Mapping[str, Any], seen: set[str]) -> Any:
    """``schema`` with each named type spelt out where it first stands, for the field that did so may be gone."""
    if isinstance(schema, list):
        return [_whole(part, named, seen) for part in schema]
    if isinstance(schema, str):
        return schema if schema not in named or schema in seen else _whole(named[schema], named, seen)
    name = schema.get("name")
    if name in seen:
        return name
    if name:
        seen.add(name)
    whole = dict(schema)
    if "fields" in schema:
        whole["fields"] = [{**field, "type": _whole(field["type"], named, seen)} for field in schema["fields"]]
    for key in ("items", "values"):
        if key in schema:
            whole[key] = _whole(schema[key], named, seen)
    return whole
