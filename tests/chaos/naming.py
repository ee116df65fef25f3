"""What records are called in a history: by content, so that every observer gives the same record the same name."""

from __future__ import annotations

from typing import Any

from blake3 import blake3

from schemas.codec import SchemaError, codec
from streams import topics
from tests.checker.events import Entry, Marker

ORDERED = {topics.TRANSACTIONS: "index", topics.INTENTS: "transaction_index"}
"""Field of a record that says where in its block its cause lies."""


def name(value: bytes | None) -> str:
    """The id of anything but a marker."""
    return blake3(value or b"").hexdigest(length=12)


def tapped(key: bytes | None, value: bytes | None) -> tuple[str, Any]:
    """Id, and what the record is if it has no key: only markers and notifications are worth reading at once."""
    if key is not None or value is None:
        return name(value), None
    kind, record = decode(value)
    return (f"marker {record['sequence']}", record) if kind == "Marker" else (name(value), None)


def decode(value: bytes) -> tuple[str, Any]:
    """Kind and record; kind is empty for what no schema knows."""
    try:
        return codec().decode(value)
    except SchemaError:
        return "", None


def entry(topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None) -> Entry | Marker:
    """A record of a whole log as the checker takes it."""
    kind, record = decode(value or b"")
    if kind == "Marker":
        return _marker(topic, partition, offset, record)
    block = record.get("block") if record else None
    index = record.get(ORDERED[topic]) if block and topic in ORDERED else None
    return Entry(
        topic=topic,
        partition=partition,
        offset=offset,
        id=name(value),
        key=key.hex() if key and kind else None,
        block=block["hash"].hex() if block else None,
        value=value.hex() if block and value else "",
        order=(block["number"], index) if block and index is not None else None,
    )


def _marker(topic: str, partition: int, offset: int, record: Any) -> Marker:
    return Marker(
        topic=topic,
        partition=partition,
        offset=offset,
        step=record["step"],
        sequence=record["sequence"],
        block=record["block"]["hash"].hex(),
        parent=record["block"]["parent"].hex(),
        count=record["count"],
        digest=record["digest"].hex(),
        removed=tuple(ref["hash"].hex() for ref in record["removed"]),
        ancestor=record["ancestor"]["hash"].hex() if record["ancestor"] else None,
    )
