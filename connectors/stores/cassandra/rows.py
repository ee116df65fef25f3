"""One memory's row and what leads to it: from facts to the writes that bring the tables from one state to the next. Pure.

A fact is a cell of the row's map, named by what it says: op (1), cause (32), block number (i64, -1 for a command), block hash
(32, zeros for a command). Its value is the stamp it was written at.
Invariants: entries of a memory are a function of it, and are there iff an UPSERT of it stands; taking a fact back writes its
removal even where it is not there, so that one who was paused cannot bring it; a fact that is written brings all that follows
from it again, so nothing of it depends on what an older owner may still be doing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from connectors.stores.cassandra.connection import Write
from connectors.stores.keys import AGENT, check_id
from connectors.stores.memory_index import HIGHEST, LOWEST, said_key
from schemas.codec import SchemaError, codec
from schemas.records import MEMORY_TYPES, Memory, MemoryFact
from streams.core.presence import Fact, Presence
from streams.core.validity import start_of, statement_of, turns_of
from streams.errors import StoreError

_FACT = struct.Struct(">c32sq32s")
_UPSERT, _DELETE = b"U", b"D"
TIME = "time"
BANDS = 10
REBUILD = "Drop the keyspace and start the workers again: they fill a new one from the log."

Entry = tuple[str, tuple[object, ...]]
"""What of a table's name and values leads to a memory: the same for putting it there and for taking it away."""


@dataclass(frozen=True, slots=True)
class Row:
    """As it is read. ``facts``: name to stamp. ``changed``: where it stands in ``changes``; None: nowhere."""

    wire: bytes | None = None
    facts: Mapping[bytes, int] = field(default_factory=dict)
    changed: int | None = None

    @property
    def presence(self) -> Presence:
        """The facts, taken apart."""
        return presence_of(self.facts)


@dataclass(slots=True)
class Change:
    """What a call does to one row. ``shows``: a reader will see it; ``gone``: no fact is left."""

    writes: list[Write] = field(default_factory=list)
    shows: bool = False
    gone: bool = False
    unreadable: bool = False


def name_of(record: MemoryFact) -> bytes:
    """The name of the fact a record states."""
    block = record["block"]
    op = _UPSERT if record["op"] == "UPSERT" else _DELETE
    return _FACT.pack(op, check_id(record["cause"]), *((-1, bytes(32)) if block is None else (block["number"], block["hash"])))


def presence_of(names: Iterable[bytes]) -> Presence:
    """Facts by their names."""
    upserts, deletes = set[Fact](), set[Fact]()
    for name in names:
        op, cause, number, block = _FACT.unpack(name)
        (upserts if op == _UPSERT else deletes).add(Fact(cause) if number < 0 else Fact(cause, block, number))
    return Presence(frozenset(upserts), frozenset(deletes))


def blocks_of(names: Iterable[bytes]) -> set[tuple[int, bytes]]:
    """The blocks that facts of these names stand on."""
    facts = (_FACT.unpack(name) for name in names)
    return {(number, block) for _, _, number, block in facts if number >= 0}


def is_upsert(name: bytes) -> bool:
    return name[:1] == _UPSERT


def clamped(time: int) -> int:
    """What a column holds of a time."""
    return max(LOWEST, min(time, HIGHEST))


def band(importance: float) -> int:
    """The tenth an importance lies in; grows with it."""
    return max(0, min(BANDS, int(importance * BANDS)))


def listings_of(memory: Memory) -> tuple[str, str, str]:
    """Those a memory stands in."""
    return TIME, f"type:{memory['type']}", f"importance:{band(memory['importance'])}"


def check_facts(facts: Sequence[MemoryFact]) -> None:
    """Raises StoreError for an UPSERT that does not hold its memory: before anything is written."""
    for record in facts:
        memory = record["memory"]
        if record["op"] == "UPSERT" and (
            memory is None or memory["id"] != record["memory_id"] or memory["agent"] != record["owner"]
        ):
            raise StoreError(f"an UPSERT of memory {record['memory_id'].hex()} does not hold that memory of its owner")


def read_memory(wire: bytes, agent: bytes, memory_id: bytes) -> Memory:
    """The inverse of the codec. Raises StoreError."""
    try:
        name, record = codec().decode(wire)
        if name != "Memory":
            raise SchemaError(f"holds a {name}")
    except SchemaError as error:
        place = f"memory {memory_id.hex()} of agent 0x{agent.hex()}"
        raise StoreError(f"{place} is not readable in Cassandra: {error}", REBUILD) from None
    return cast("Memory", record)


class RowWrites:
    """Makes the writes of one row at one ``stamp``."""

    def __init__(self, agent: bytes, bucket: int, memory_id: bytes, stamp: int) -> None:
        self._key = (agent, bucket, memory_id)
        self._stamp = stamp

    def apply(self, row: Row, facts: Sequence[MemoryFact], settled: Callable[[int], bool]) -> Change:
        """Adds facts; one that is there, written at a ``settled`` stamp, changes nothing. Of equal ones the first counts."""
        named: dict[bytes, MemoryFact] = {}
        for fact in facts:
            named.setdefault(name_of(fact), fact)
        fresh = {name: fact for name, fact in named.items() if name not in row.facts or not settled(row.facts[name])}
        if not fresh:
            return Change()
        memory = next((fact["memory"] for name, fact in fresh.items() if is_upsert(name)), None)
        cells = dict.fromkeys(fresh, self._stamp)
        done = Change(shows=True)
        if memory is None:
            done.writes.append(("add_facts", (self._stamp, cells, self._stamp, *self._key)))
        else:
            wire = row.wire or codec().encode("Memory", memory)
            kept = read_memory(wire, self._key[0], self._key[2]) if row.wire else memory
            done.writes.append(("put_memory", (self._stamp, wire, cells, self._stamp, *self._key)))
            done.writes += self._put(kept)
        done.writes += [("put_block", (*block, *self._key, self._stamp)) for block in sorted(blocks_of(fresh))]
        self._announce(row, done)
        return done

    def revert(self, row: Row, facts: Sequence[MemoryFact], settled: Callable[[int], bool]) -> Change:
        """Takes facts back, also those that are not there. A row that changed last at a stamp not ``settled`` shows anew."""
        taken = {name_of(fact): fact for fact in facts}
        left = row.facts.keys() - taken.keys()
        unannounced = row.changed is not None and not settled(row.changed)
        done = Change(shows=unannounced or not row.facts.keys().isdisjoint(taken))
        done.gone = done.shows and not left
        done.writes.append(("take_facts", (self._stamp, set(taken), *self._key)))
        if not any(map(is_upsert, left)) and any(map(is_upsert, taken)):
            done.writes.append(("drop_wire", (self._stamp, *self._key)))
            memory = next((fact["memory"] for fact in taken.values() if fact["memory"] is not None), None)
            if row.wire:
                memory = read_memory(row.wire, self._key[0], self._key[2])
            if memory is not None:
                done.writes += self._drop(memory)
                done.unreadable = memory["sealed"] is not None
        blocks = blocks_of(taken) - blocks_of(left)
        done.writes += [("drop_block", (self._stamp, *block, *self._key)) for block in sorted(blocks)]
        if done.shows:
            done.writes.append(("put_changed", (self._stamp, self._stamp, *self._key)))
            self._announce(row, done)
        return done

    def _announce(self, row: Row, done: Change) -> None:
        done.writes.append(("put_change", (self._stamp, done.gone, *self._key, self._stamp)))
        if row.changed is not None:
            done.writes.append(("drop_change", (self._stamp, row.changed, *self._key[:2])))

    def _put(self, memory: Memory) -> Iterator[Write]:
        code, amendment = MEMORY_TYPES.index(memory["type"]), memory["form"] == "AMENDMENT"
        for listing in listings_of(memory):
            at = clamped(memory["timestamp"])
            yield "put_listing", (listing, at, code, amendment, memory["importance"], *self._key, self._stamp)
        for kind, values in _entries(memory):
            yield f"put_{kind}", (*values, *self._key, self._stamp)

    def _drop(self, memory: Memory) -> Iterator[Write]:
        for listing in listings_of(memory):
            yield "drop_listing", (self._stamp, listing, clamped(memory["timestamp"]), *self._key)
        for kind, values in _entries(memory):
            yield f"drop_{kind}", (self._stamp, *values, *self._key)


def _entries(memory: Memory) -> Iterator[Entry]:
    for turn in set(turns_of(memory)):
        yield "turn", (clamped(turn),)
    for end in {end for edge in memory["edges"] for end in (edge["source"], edge["target"]) if end is not None}:
        yield "edge", (end,)
    statement = statement_of(memory)
    if statement is not None:
        yield "statement", (said_key(memory["agent"], statement)[AGENT:], clamped(start_of(memory)))
