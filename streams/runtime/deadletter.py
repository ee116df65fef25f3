"""Dead letters: what becomes of a record that can never be processed.

Invariant: a dead letter commits in the transaction that moves the position past its source, so it is written once and the
source is not lost: topic, partition and offset name it, and the value is kept up to 64 KiB.
"""

from __future__ import annotations

from typing import Any

from streams import topics
from streams.core.record import ERASED, MARKER, NEWER, Record

KEEP_BYTES = 65_536


def dead_letter(
    record: Record, source: str, stream_agent: str, error: str, reason: str, *, attempts: int = 1, whole: bool = False
) -> dict[str, Any]:
    """The DeadLetter record of ``record``; ``source`` is the broker's name of its topic. ``whole``: however large it is."""
    keep = len(record.raw) if whole else KEEP_BYTES
    return {
        "topic": source,
        "partition": record.partition,
        "offset": record.offset,
        "stream_agent": stream_agent,
        "error": error,
        "reason": reason[:2000],
        "attempts": attempts,
        "key": record.key[:keep] if record.key and not whole else record.key,
        "value": record.raw[:keep],
        "truncated": len(record.raw) > keep,
        "size": len(record.raw),
    }


def dead_letter_key(source: str, record: Record) -> bytes:
    """Key of its dead letter."""
    return f"{source}/{record.partition}/{record.offset}".encode()


def belongs(topic: str, kind: str) -> bool:
    """Whether records of schema ``kind`` are for stream agents that read ``topic``."""
    spec = topics.TOPICS.get(topic)
    return kind not in ("", NEWER, ERASED, MARKER) and (spec is None or kind in spec.records)


def unreadable(record: Record) -> tuple[str, str] | None:
    """(error class, reason) if the record cannot be handed to a stream agent at all; None if it can."""
    if belongs(record.topic, record.type):
        return None
    if record.type in {"", NEWER}:
        return "SchemaError", str(record.value)
    return "SchemaError", f"{record.topic} must not hold a {record.type} here"
