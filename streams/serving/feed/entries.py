"""Records of memory.log as the feed needs them: who, what, which block; never a content, which is not even opened.

Invariant: a marker counts only if its signature holds and it speaks of the partition it lies in. What is no record at all is
skipped and counted; what a newer version wrote is an entry of its own, since to skip it would lose a change unseen.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

from schemas.codec import SchemaError, UnknownSchemaError, codec
from streams.core.block import BlockRef, optional_ref
from streams.core.marker import Marker
from streams.core.session import in_zone
from streams.errors import LogIntegrityError
from streams.ports.log import Message
from streams.serving import metrics
from streams.signing import Verifier
from streams.topics import MEMORY_LOG

log = logging.getLogger(__name__)

Kind = Literal["memory.stored", "memory.amended", "memory.forgotten"]


@dataclass(frozen=True, slots=True)
class FactEntry:
    """A fact about one memory. ``block`` None: of a command. ``zone``: it lies in a session, and shows only there."""

    kind: Kind
    owner: bytes
    memory_id: bytes
    block: BlockRef | None
    zone: bool = False


@dataclass(frozen=True, slots=True)
class NewerEntry:
    """Something this version cannot read."""

    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One record and where it lies."""

    offset: int
    body: FactEntry | Marker | NewerEntry


def entry_of(message: Message, partition: int, verifier: Verifier) -> Entry | None:
    """The entry; None for what is no record of this topic. Raises LogIntegrityError for a marker that is not what it says."""
    try:
        if message.value is None:
            raise SchemaError("a tombstone does not belong here")
        name, record = codec().decode_closed(message.value)
        if name == "MemoryFact":
            return Entry(message.offset, _fact(record))
        if name != "Marker":
            raise SchemaError(f"a {name} does not belong here")
    except UnknownSchemaError as error:
        return Entry(message.offset, NewerEntry(str(error)))
    except SchemaError as error:
        log.warning("%s, partition %d, offset %d: %s", MEMORY_LOG, partition, message.offset, error)
        metrics.GARBAGE.labels(MEMORY_LOG).inc()
        return None
    verifier.verify(name, record, message.value)
    marker = Marker.of(record)
    if (marker.topic, marker.partition) != (MEMORY_LOG, partition):
        raise LogIntegrityError(
            f"{MEMORY_LOG}/{partition}, offset {message.offset}: a marker of {marker.topic}/{marker.partition}",
            "The log was altered.",
        )
    return Entry(message.offset, marker)


def _fact(record: dict[str, Any]) -> FactEntry:
    kind: Kind = "memory.forgotten"
    zone = False
    if record["op"] == "UPSERT":
        kind = "memory.amended" if record["memory"]["form"] == "AMENDMENT" else "memory.stored"
        zone = in_zone(record["memory"])
    return FactEntry(kind, record["owner"], record["memory_id"], optional_ref(record["block"]), zone)
