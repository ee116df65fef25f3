"""Dead letters: what becomes of a record that can never be processed.

Invariant: a dead letter commits in the transaction that moves the position past its source, so it is written once and the
source is not lost: topic, partition and offset name it, and the value is kept up to 64 KiB.
"""

from __future__ import annotations

from typing import Any

from streams import topics
from streams.core.record import MARKER, Record

KEEP_BYTES = 65_536


def dead_letter(record: Record, source: str, stream_agent: str, error: str, reason: str) -> dict[str, Any]:
    """The DeadLetter record of ``record``; ``source`` is the broker's name of its topic."""
    return {
        "topic": source,
        "partition": record.partition,
        "offset": record.offset,
        "stream_agent": stream_agent,
        "error": error,
        "reason": reason[:2000],
        "attempts": 1,
        "key": record.key[:KEEP_BYTES] if record.key else record.key,
        "value": record.raw[:KEEP_BYTES],
        "truncated": len(record.raw) > KEEP_BYTES,
        "size": len(record.raw),
    }


def dead_letter_key(source: str, record: Record) -> bytes:
    """Key of its dead letter."""
    return f"{source}/{record.partition}/{record.offset}".encode()


def unreadable(record: Record) -> tuple[str, str] | None:
    """(error class, reason) if the record cannot be handed to a stream agent at all; None if it can."""
    if not record.type:
        return "SchemaError", str(record.value)
    spec = topics.TOPICS.get(record.topic)
    if record.type == MARKER or (spec is not None and record.type not in spec.records):
        return "SchemaError", f"{record.topic} must not hold a {record.type} here"
    return None
