"""The memory agent's local state: for each memory the facts that stand, and its record while an UPSERT does.

Keys: ``m`` + owner (20) + memory id (32) for rows, ``d`` for the digest. A row is: UPSERTs (u32), DELETEs (u32), the facts
sorted, and of a memory its rank (16, see ``quota``) and wire form. A fact is: cause (32), block number (i64), block hash (32;
zeros and -1 for a command). The record stays while a DELETE stands, since a reorg may take the DELETE back.
Invariant: rows are a function of the set of facts applied and not reverted, so equal sets give equal bytes. Where a command
id was used for two different texts, the first in the log is kept, as in the stores.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from math import inf

from blake3 import blake3

from schemas.codec import codec
from schemas.records import Memory, MemoryFact
from streams.agents.base import LocalState
from streams.agents.quota import RANK, Quota, rank_of
from streams.core.presence import NO_BLOCK, Fact, Presence
from streams.core.session import in_zone

_COUNTS = struct.Struct("<II")
_FACT = struct.Struct("<32sq32s")
ROW = b"m"
_DIGEST_KEY = b"d"
MODULUS = 2**256


def fact_name(fact: MemoryFact) -> Fact:
    """What presence knows of a fact."""
    block = fact["block"]
    return Fact(fact["cause"]) if block is None else Fact(fact["cause"], block["hash"], block["number"])


def digest_of(fact: MemoryFact) -> int:
    """What a fact of a block adds to the digest."""
    return digest_element(fact["op"], fact["owner"], fact["memory_id"], fact_name(fact))


def digest_element(op: str, owner: bytes, memory_id: bytes, name: Fact) -> int:
    """The same by the fact's name."""
    parts = (op.encode().ljust(6), name.cause, owner, memory_id, name.block_hash)
    return int.from_bytes(blake3(b"".join(parts)).digest(), "little")


class MemoryRows:
    """Rows of one partition, in ``state``."""

    def __init__(self, state: LocalState, quota: Quota) -> None:
        self._state = state
        self._quota = quota

    def apply(self, fact: MemoryFact) -> bool:
        """Adds a fact; one that is there already changes nothing. Whether it made a memory that no reorg can take back."""
        presence, memory = self._read(fact)
        name = fact_name(fact)
        if fact["op"] == "UPSERT":
            changed = presence.upsert(name)
            if changed != presence and not memory and fact["memory"]:
                made = fact["memory"]
                worth = inf if in_zone(made) else made["importance"]  # a session lets go of its memories itself
                memory = rank_of(worth, made["timestamp"]) + codec().encode("Memory", made)
        else:
            changed = presence.delete(name)
        if changed != presence:
            self._write(fact, changed, memory)
            self._count(fact, 1)
            self._quota.look(fact["owner"], fact["memory_id"], changed, memory[:RANK] or None)
        said = fact["memory"]
        return fact["block"] is None and said is not None and said["form"] == "MEMORY" and not presence.upserts

    def revert(self, fact: MemoryFact) -> None:
        """Takes a fact back; one that is not there changes nothing."""
        presence, memory = self._read(fact)
        changed = presence.without(fact_name(fact))
        if changed != presence:
            left = memory if changed.upserts else b""
            self._write(fact, changed, left)
            self._count(fact, -1)
            if fact["op"] == "UPSERT":
                self._quota.gone(fact["owner"], fact["memory_id"], memory[:RANK], fact_name(fact).block_number)
            self._quota.look(fact["owner"], fact["memory_id"], changed, left[:RANK] or None)

    def settle(self) -> int:
        """Counts the memories whose blocks became final; how many of them did for the first time."""
        first = 0
        for one in self._quota.settle():
            presence, memory = self.decode(self._state.get(_key(one.owner, one.memory_id)))
            self._quota.look(one.owner, one.memory_id, presence, one.rank if memory else None)
            first += one.first and bool(memory)
        return first

    def erase(self, owner: bytes) -> list[tuple[bytes, Presence]]:
        """Forgets all memories of an agent; their ids, with the facts that stood. The digest stays: it speaks of the chain."""
        prefix = _key(owner, b"")
        rows = [(key[len(prefix) :], *self.decode(row)) for key, row in self._state.scan(prefix)]
        for memory_id, presence, memory in rows:
            self._state.delete(prefix + memory_id)
            for fact in presence.upserts:
                self._quota.gone(owner, memory_id, memory[:RANK], fact.block_number)
        return [(memory_id, presence) for memory_id, presence, _ in rows]

    def pass_over(self, fact: MemoryFact, sign: int) -> None:
        """Counts a fact in (1) or out (-1) that is of an erased agent, and is not kept."""
        self._count(fact, sign)

    def live(self, owner: bytes, memory_id: bytes) -> Memory | None:
        """The memory, if it is live."""
        presence, wire = self.decode(self._state.get(_key(owner, memory_id)))
        if not presence.live():
            return None
        memory: Memory = codec().decode(wire[RANK:])[1]
        return memory

    def digest(self) -> bytes:
        """Sum modulo 2^256 of the BLAKE3 hashes of the chain's facts that stand, 32 bytes little-endian.

        A check of the rewind against mistakes of ours; the commitment to memories is the lattice hash.
        """
        return self._state.get(_DIGEST_KEY) or bytes(32)

    def _count(self, fact: MemoryFact, sign: int) -> None:
        if fact["block"] is None:
            return
        total = (int.from_bytes(self.digest(), "little") + sign * digest_of(fact)) % MODULUS
        if total:
            self._state.put(_DIGEST_KEY, total.to_bytes(32, "little"))
        else:
            self._state.delete(_DIGEST_KEY)

    def _read(self, fact: MemoryFact) -> tuple[Presence, bytes]:
        return self.decode(self._state.get(_key(fact["owner"], fact["memory_id"])))

    def _write(self, fact: MemoryFact, presence: Presence, memory: bytes) -> None:
        key = _key(fact["owner"], fact["memory_id"])
        if not presence:
            self._state.delete(key)
            return
        counts = _COUNTS.pack(len(presence.upserts), len(presence.deletes))
        self._state.put(key, counts + _pack(presence.upserts) + _pack(presence.deletes) + memory)

    @staticmethod
    def decode(row: bytes | None) -> tuple[Presence, bytes]:
        """The facts of a row, and the rank and wire form of its memory."""
        if row is None:
            return Presence(), b""
        upserts, deletes = _COUNTS.unpack_from(row)
        end = _COUNTS.size + (upserts + deletes) * _FACT.size
        facts = [Fact(c, b, n) if n >= 0 else Fact(c) for c, n, b in _FACT.iter_unpack(row[_COUNTS.size : end])]
        return Presence(frozenset(facts[:upserts]), frozenset(facts[upserts:])), row[end:]


def _key(owner: bytes, memory_id: bytes) -> bytes:
    return ROW + owner + memory_id


def _pack(facts: Iterable[Fact]) -> bytes:
    def packed(fact: Fact) -> bytes:
        return _FACT.pack(fact.cause, fact.block_number, fact.block_hash if fact.block_hash != NO_BLOCK else bytes(32))

    return b"".join(sorted(map(packed, facts)))
