"""Where a walk over an agent's history stands. Pure.

A cursor names the last memory that was handed out or passed over, by time and id. Whatever is stored, forgotten or undone
meanwhile, the walk goes on behind that place in the order of all memories.
Invariants: a memory that is live during the whole walk is met exactly once; one that comes later in front of the cursor is not;
a cursor goes on with no other walk than its own.
"""

from __future__ import annotations

import binascii
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from blake3 import blake3

from streams.serving.faults import BadRequestError

_FORM = struct.Struct(">Bq32s16s")
VERSION = 1
LONGEST = 128


@dataclass(frozen=True, slots=True)
class Place:
    """Behind the memory of this timestamp and id."""

    timestamp: int
    memory_id: bytes


def walk_name(agent: bytes, window: object, only: object) -> bytes:
    """Names a walk: equal for equal agent, window and filter (whose reprs tell them apart), 16 bytes."""
    return blake3(agent + repr((window, only)).encode()).digest(16)


def cursor_of(place: Place, walk: bytes) -> str:
    """The text a client hands back."""
    return urlsafe_b64encode(_FORM.pack(VERSION, place.timestamp, place.memory_id, walk)).decode().rstrip("=")


def place_of(cursor: str, walk: bytes) -> Place:
    """The inverse. Raises BadRequestError for a text that is no cursor, or one of another walk."""
    hint = "Hand back `next` of the answer before, with the same window and filter; without a cursor the walk begins anew."
    try:
        if len(cursor) > LONGEST:
            raise ValueError
        version, timestamp, memory_id, name = _FORM.unpack(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, struct.error, binascii.Error):
        raise BadRequestError("cursor is none that a gateway gave", hint) from None
    if version != VERSION:
        raise BadRequestError("cursor is of another version of the gateway", hint)
    if name != walk:
        raise BadRequestError("cursor belongs to another agent, window or filter", hint)
    return Place(timestamp, memory_id)
