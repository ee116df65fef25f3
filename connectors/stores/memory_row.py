"""Bytes of one row of the embedded memory store: a memory and the facts that stand for it.

Layout, little-endian: XXH3-64 of all that follows (8), version (1), UPSERTs (u32), DELETEs (u32), the facts, the memory.
A fact: cause (32), block number (i64, -1 for a command), block hash (32, zeros for a command). The memory is in the wire
form of its schema, or empty if only DELETEs have been seen.
Invariants: equal rows have equal bytes (facts are sorted); a changed byte is noticed, not returned.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from xxhash import xxh3_64_digest

from streams.core.presence import NO_BLOCK, Fact, Presence

VERSION = 1
_HEAD = struct.Struct("<BII")
_FACT = struct.Struct("<32sq32s")
_CHECK = 8


class RowError(ValueError):
    """The bytes are not a row."""


def _facts(facts: Iterable[Fact]) -> bytes:
    return b"".join(sorted(_FACT.pack(f.cause, f.block_number, f.block_hash or bytes(32)) for f in facts))


def _fact(cause: bytes, number: int, block: bytes) -> Fact:
    return Fact(cause) if number < 0 else Fact(cause, block, number)


def encode_row(memory: bytes, presence: Presence) -> bytes:
    """``memory``: wire form, or empty."""
    for fact in presence.upserts | presence.deletes:
        if (fact.block_hash == NO_BLOCK) != (fact.block_number < 0):
            raise RowError(f"a fact has block number {fact.block_number} and block hash {fact.block_hash.hex()!r}")
    head = _HEAD.pack(VERSION, len(presence.upserts), len(presence.deletes))
    body = head + _facts(presence.upserts) + _facts(presence.deletes) + memory
    return bytes(xxh3_64_digest(body)) + body


def decode_row(row: bytes) -> tuple[bytes, Presence]:
    """The inverse of ``encode_row``. Raises RowError."""
    if len(row) < _CHECK + _HEAD.size or xxh3_64_digest(row[_CHECK:]) != row[:_CHECK]:
        raise RowError("checksum does not hold")
    version, upserts, deletes = _HEAD.unpack_from(row, _CHECK)
    if version != VERSION:
        raise RowError(f"version {version}, this one reads {VERSION}")
    start = _CHECK + _HEAD.size
    end = start + (upserts + deletes) * _FACT.size
    facts = [_fact(*fields) for fields in _FACT.iter_unpack(row[start:end])]
    return row[end:], Presence(frozenset(facts[:upserts]), frozenset(facts[upserts:]))
