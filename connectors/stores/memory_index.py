"""What the embedded memory store finds memories by, besides their id: entries of its index databases, as keys and values.

``by_time``: agent (20) + timestamp (8, big-endian, offset to be unsigned) + id -> type code (1; the highest bit is set for an
amendment) + importance (f64), so that a query walks from the newest and skips what cannot match without reading rows.
``zoned``: agent + session (16) + the same, of what lies in a session: so that few memories are found among many.
``about``: agent + id of either end of an edge + id of the memory that holds the edge -> nothing.
``turns``: agent + time (as a timestamp) + id -> nothing, for each of the memory's ``turns_of``.
``said``: agent + digest of subject and predicate (16, keyed with the agent's secret, since both could be guessed) + start (as
a timestamp) + id -> nothing.
Invariants: the entries of a memory are a function of it, so that they can be taken out again, or made anew from the rows. Those
of ``LISTINGS`` are there only while no command has deleted it: a list costs what is live, not what was ever forgotten.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from schemas.codec import codec
from schemas.records import MEMORY_TYPES, Memory
from streams.core.session import in_zone
from streams.core.validity import Statement, start_of, statement_of, turns_of

BY_TIME, ZONED, ABOUT, SAID, TURNS = "by_time", "zoned", "about", "said", "turns"
LISTINGS = frozenset({BY_TIME, ZONED})
PAST_ANY_ID = b"\xff" * 33
LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1
TIME = 8
_ENTRY = struct.Struct("<Bd")
_AMENDMENT = 0x80


def time_key(timestamp: int) -> bytes:
    """Eight bytes in the order of time."""
    return (max(LOWEST, min(timestamp, HIGHEST)) - LOWEST).to_bytes(TIME, "big")


def time_of(key: bytes) -> int:
    """The inverse of ``time_key``."""
    return int.from_bytes(key, "big") + LOWEST


def said_key(agent: bytes, statement: Statement) -> bytes:
    """What the keys of all statements with this subject and predicate begin with."""
    subject, predicate = (part.encode() for part in statement)
    return agent + codec().veil(agent, len(subject).to_bytes(4, "little") + subject + predicate)


def entries(memory: Memory) -> Iterator[tuple[str, bytes, bytes]]:
    """Database, key, value."""
    agent, memory_id = memory["agent"], memory["id"]
    code = MEMORY_TYPES.index(memory["type"]) | (_AMENDMENT if memory["form"] == "AMENDMENT" else 0)
    place, entry = time_key(memory["timestamp"]) + memory_id, _ENTRY.pack(code, memory["importance"])
    yield BY_TIME, agent + place, entry
    if in_zone(memory) and memory["session"] is not None:
        yield ZONED, agent + memory["session"] + place, entry
    for turn in turns_of(memory):
        yield TURNS, agent + time_key(turn) + memory_id, b""
    for edge in memory["edges"]:
        for end in (edge["source"], edge["target"]):
            if end is not None:
                yield ABOUT, agent + end + memory_id, b""
    statement = statement_of(memory)
    if statement is not None:
        yield SAID, said_key(agent, statement) + time_key(start_of(memory)) + memory_id, b""


def unpack_entry(value: bytes) -> tuple[int, bool, float]:
    """Type code, whether it is an amendment, importance: of a value in ``by_time`` or ``zoned``."""
    code, importance = _ENTRY.unpack(value)
    return code & ~_AMENDMENT, bool(code & _AMENDMENT), importance
