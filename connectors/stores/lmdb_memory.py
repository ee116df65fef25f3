"""The embedded MemoryStore: one LMDB environment, shared by the workers that write it and the gateway that reads it.

``rows``: agent (20) + memory id (32) -> row (see memory_row); beside it the indices of ``memory_index``, ``change_index`` and
``block_index``.
Assumes that equal memory ids mean equal memories (they are content ids).
Invariants: a row is there iff a fact stands; index entries are there iff their row holds a memory; these, the agent's version
and its blocks change in one transaction, and a batch of facts is applied whole or not at all. Files of the formats before this
one get the indices they lack when they are opened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from heapq import merge
from pathlib import Path
from typing import Any, cast

from connectors.stores.block_index import DATABASE as BLOCKS
from connectors.stores.block_index import BlockIndex
from connectors.stores.change_index import DATABASES, ChangeIndex, index_rows
from connectors.stores.keys import AGENT, MEMORY_ID, check_agent, check_id
from connectors.stores.lmdb_environment import MAP_SIZE, REBUILD, Claim, T, Transaction, close_environment, open_environment
from connectors.stores.memory_index import (
    ABOUT,
    BY_TIME,
    HIGHEST,
    LISTINGS,
    LOWEST,
    PAST_ANY_ID,
    SAID,
    TIME,
    TURNS,
    ZONED,
    entries,
    said_key,
    time_key,
    time_of,
    unpack_entry,
)
from connectors.stores.memory_row import RowError, decode_row, encode_row
from schemas.codec import SchemaError, codec
from schemas.records import MEMORY_TYPES, Memory, MemoryFact
from streams.core.presence import Fact, Presence
from streams.errors import StoreError
from streams.ports.stores import Canonical, Changes, Concern, Counts, Footing, MemoryFilter, StoredMemory, Version

FORMAT = "monmouth/memories/7"
OLDER = ("monmouth/memories/1", "monmouth/memories/2")
BEFORE = tuple(f"monmouth/memories/{number}" for number in (3, 4, 5, 6))
"""The same rows; those before lack ``zoned``, ``turns``, or ``about`` and ``said``, or have ``said`` without a key."""
ROWS = "rows"
INDICES = frozenset({BY_TIME, ZONED, ABOUT, SAID, TURNS})
PAGE = 1_000

Row = tuple[bytes, Presence]
Step = Callable[[Row, MemoryFact], Row]
NOTHING: Row = (b"", Presence())


def fact_of(record: MemoryFact) -> Fact:
    """The fact a record states."""
    block = record["block"]
    return Fact(record["cause"]) if block is None else Fact(record["cause"], block["hash"], block["number"])


def _add(row: Row, record: MemoryFact) -> Row:
    wire, presence = row
    if record["op"] == "DELETE":
        return wire, presence.delete(fact_of(record))
    memory = record["memory"]
    if memory is None or memory["id"] != record["memory_id"] or memory["agent"] != record["owner"]:
        raise StoreError(f"an UPSERT of memory {record['memory_id'].hex()} does not hold that memory of its owner")
    return wire or codec().encode("Memory", memory), presence.upsert(fact_of(record))


def _take(row: Row, record: MemoryFact) -> Row:
    wire, presence = row
    fact = fact_of(record)
    if record["op"] == "DELETE":
        presence = Presence(presence.upserts, presence.deletes - {fact})
    else:
        presence = Presence(presence.upserts - {fact}, presence.deletes)
    return wire if presence.upserts else b"", presence


def _places(row: Row) -> frozenset[str]:
    """The indices that hold entries of its memory."""
    wire, presence = row
    if not wire:
        return frozenset()
    return INDICES - LISTINGS if presence.ended else INDICES


def _index(txn: Transaction, databases: Mapping[str, Any]) -> None:
    """Makes all indices but ``by_time`` anew from the rows."""
    index_rows(txn, databases, ROWS)
    txn.drop(databases[BLOCKS], delete=False)
    blocks = BlockIndex(databases[BLOCKS])
    with txn.cursor(db=databases[ROWS]) as cursor:
        for key, value in cursor:
            try:
                blocks.note(txn, key[:AGENT], Presence(), decode_row(value)[1])
            except RowError as error:
                raise StoreError(f"memory {key[AGENT:].hex()} is not readable: {error}", REBUILD) from None
    _index_memories(txn, databases)


def _index_memories(txn: Transaction, databases: Mapping[str, Any]) -> None:
    """Makes the indices of ``memory_index`` anew, but ``by_time``."""
    for name in (ZONED, ABOUT, SAID, TURNS):
        txn.drop(databases[name], delete=False)
    with txn.cursor(db=databases[ROWS]) as cursor:
        for key, value in cursor:
            try:
                wire, presence = decode_row(value)
                memory = cast("Memory", codec().decode(wire)[1]) if wire else None
            except (RowError, SchemaError) as error:
                raise StoreError(f"memory {key[AGENT:].hex()} is not readable: {error}", REBUILD) from None
            for name, entry, content in entries(memory) if memory else ():
                if name in _places((wire, presence)):
                    txn.put(entry, content, db=databases[name])


UPGRADES = {**dict.fromkeys(OLDER, _index), **dict.fromkeys(BEFORE, _index_memories)}


class LmdbMemoryStore:
    """MemoryStore in ``folder``. Open as many as wanted, in any process; reads see every acknowledged write."""

    def __init__(self, folder: Path, map_size: int = MAP_SIZE) -> None:
        self._env = open_environment(folder, (ROWS, *sorted(INDICES), *DATABASES, BLOCKS), FORMAT, map_size, UPGRADES)
        self._index = ChangeIndex(self._env.databases)
        self._blocks = BlockIndex(self._env.databases[BLOCKS])
        self._rows = self._env.databases[ROWS]
        self._closed = False
        self._claim: Claim | None = None

    @property
    def identity(self) -> bytes:
        return self._env.identity

    async def claim(self, lane: bytes) -> LmdbMemoryStore:
        """A handle on the same files that ends with this one; its writes stop when the lane is claimed again."""
        self._refuse_closed()
        claimed = copy(self)
        claimed._claim = await self._env.claim(lane)
        return claimed

    async def apply(self, facts: Sequence[MemoryFact]) -> None:
        await self._change(facts, _add)

    async def revert(self, facts: Sequence[MemoryFact]) -> None:
        await self._change(facts, _take)

    async def get(self, agent: bytes, ids: Sequence[bytes]) -> list[StoredMemory | None]:
        self._refuse_closed()
        work = partial(self._get, agent=check_agent(agent), ids=tuple(ids))
        return await self._env.rows(work, len(ids))

    async def query(self, agent: bytes, wanted: MemoryFilter, canonical: Canonical) -> list[Memory]:
        check_agent(agent)
        return await self._read(partial(self._query, agent=agent, wanted=wanted, canonical=canonical))

    async def live_ids(self, agent: bytes, canonical: Canonical) -> list[bytes]:
        check_agent(agent)
        return await self._read(partial(self._live_ids, agent=agent, canonical=canonical))

    async def concerning(self, agent: bytes, concerns: Sequence[Concern], counts: Counts) -> list[StoredMemory]:
        check_agent(agent)
        return await self._read(partial(self._concerning, agent=agent, concerns=tuple(concerns), counts=counts))

    async def agents(self) -> AsyncIterator[bytes]:
        after = b""
        while page := await self._read(partial(self._agents, after=after)):
            for agent in page:
                yield agent
            after = page[-1] + PAST_ANY_ID

    async def version(self, agent: bytes) -> Version:
        self._refuse_closed()
        return self._env.peek(partial(self._index.version, agent=check_agent(agent)))

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes:
        check_agent(agent)
        return await self._read(partial(self._index.changes, agent=agent, since=since, limit=limit))

    async def footing(self, agent: bytes, since: int, now: int) -> Footing:
        self._refuse_closed()
        return self._env.peek(partial(self._footing, agent=check_agent(agent), since=since, now=now))

    async def close(self) -> None:
        if not self._closed and self._claim is None:
            self._closed = True
            close_environment(self._env)

    async def _read(self, work: Callable[[Transaction], T]) -> T:
        self._refuse_closed()
        return await self._env.read(work)

    async def _change(self, facts: Sequence[MemoryFact], step: Step) -> None:
        self._refuse_closed()
        if facts:
            await self._env.write(partial(self._fold, facts=tuple(facts), step=step), self._claim)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreError(f"memory store {self._env.folder} is closed")

    def _fold(self, txn: Transaction, facts: Iterable[MemoryFact], step: Step) -> None:
        before: dict[bytes, Row] = {}
        after: dict[bytes, Row] = {}
        for fact in facts:
            key = check_agent(fact["owner"]) + check_id(fact["memory_id"])
            if key not in after:
                before[key] = after[key] = self._row(txn, key) or NOTHING
            after[key] = step(after[key], fact)
        changed: dict[bytes, dict[bytes, bool]] = {}
        for key, row in after.items():
            if row != before[key]:
                self._store(txn, key, before[key], row)
                self._blocks.note(txn, key[:AGENT], before[key][1], row[1])
                changed.setdefault(key[:AGENT], {})[key[AGENT:]] = bool(row[1])
        for agent, ids in changed.items():
            self._index.note(txn, agent, ids)

    def _store(self, txn: Transaction, key: bytes, before: Row, after: Row) -> None:
        wire, presence = after
        if presence:
            txn.put(key, encode_row(wire, presence), db=self._rows)
        else:
            txn.delete(key, db=self._rows)
        had, has = _places(before), _places(after)
        if had != has:
            memory = self._memory(key, wire or before[0])
            for name, entry, value in entries(memory):
                if name in has - had:
                    txn.put(entry, value, db=self._env.databases[name])
                elif name in had - has or not wire:  # a row of an older version may have been deleted and listed still
                    txn.delete(entry, db=self._env.databases[name])
            if not wire and memory["sealed"] is not None:
                self._sweep(txn, key[:AGENT])

    def _sweep(self, txn: Transaction, agent: bytes) -> None:
        """Takes all of an agent out of the indices whose entries nobody can name any more, since its keys were destroyed."""
        for name in (ABOUT, SAID, TURNS):
            with txn.cursor(db=self._env.databases[name]) as cursor:
                while cursor.set_range(agent) and cursor.key().startswith(agent):
                    cursor.delete()

    def _row(self, txn: Transaction, key: bytes) -> Row | None:
        value = txn.get(key, db=self._rows)
        return None if value is None else self._decode(key, value)

    def _decode(self, key: bytes, value: bytes) -> Row:
        try:
            return decode_row(value)
        except RowError as error:
            raise self._unreadable(key, error) from None

    def _memory(self, key: bytes, wire: bytes) -> Memory:
        try:
            name, record = codec().decode(wire)
        except SchemaError as error:
            raise self._unreadable(key, error) from None
        if name != "Memory":
            raise self._unreadable(key, f"holds a {name}")
        return cast("Memory", record)

    def _unreadable(self, key: bytes, cause: object) -> StoreError:
        place = f"memory {key[AGENT:].hex()} of agent 0x{key[:AGENT].hex()}"
        return StoreError(f"{place} is not readable in {self._env.folder}: {cause}", REBUILD)

    def _get(self, txn: Transaction, agent: bytes, ids: Iterable[bytes]) -> list[StoredMemory | None]:
        found: list[StoredMemory | None] = []
        for memory_id in ids:
            key = agent + check_id(memory_id)
            row = self._row(txn, key)
            memory = self._memory(key, row[0]) if row and row[0] else None
            found.append(None if row is None else StoredMemory(memory, row[1]))
        return found

    def _query(self, txn: Transaction, agent: bytes, wanted: MemoryFilter, canonical: Canonical) -> list[Memory]:
        memories: list[Memory] = []
        if wanted.limit <= 0:
            return memories
        for memory_id in self._newest(txn, agent, wanted):
            key = agent + memory_id
            row = self._row(txn, key)
            if row is None:
                raise self._unreadable(key, "the index names it and no row is there")
            if not row[1].live(canonical):
                continue
            memory = self._memory(key, row[0])
            if not wanted.in_place(memory) or (wanted.tags is not None and wanted.tags.isdisjoint(memory["tags"])):
                continue
            memories.append(memory)
            if len(memories) >= wanted.limit:
                break
        return memories

    def _newest(self, txn: Transaction, agent: bytes, wanted: MemoryFilter) -> Iterator[bytes]:
        """Ids from the newest on that pass what the index knows: time, type, importance."""
        codes = None if wanted.types is None else {MEMORY_TYPES.index(name) for name in wanted.types}
        forms = {name == "AMENDMENT" for name in wanted.forms}
        oldest = time_key(LOWEST if wanted.since is None else wanted.since)
        newest = time_key(HIGHEST if wanted.until is None else wanted.until) + PAST_ANY_ID
        if wanted.after is not None:
            newest = min(newest, time_key(wanted.after[0]) + check_id(wanted.after[1]))
        walks = [self._backwards(txn, ZONED, agent + session, oldest, newest) for session in wanted.sessions]
        for place, value in merge(*walks or [self._backwards(txn, BY_TIME, agent, oldest, newest)], reverse=True):
            code, amendment, importance = unpack_entry(value)
            if (codes is None or code in codes) and amendment in forms and importance >= wanted.min_importance:
                yield place[TIME:]

    def _backwards(
        self, txn: Transaction, name: str, prefix: bytes, oldest: bytes, newest: bytes
    ) -> Iterator[tuple[bytes, bytes]]:
        """An index from before ``newest`` back to ``oldest``, below ``prefix``: the rest of each key, and the value."""
        with txn.cursor(db=self._env.databases[name]) as cursor:
            there = cursor.prev() if cursor.set_range(prefix + newest) else cursor.last()
            while there and (key := cursor.key()) >= prefix + oldest:
                yield key[len(prefix) :], cursor.value()
                there = cursor.prev()

    def _concerning(self, txn: Transaction, agent: bytes, concerns: Sequence[Concern], counts: Counts) -> list[StoredMemory]:
        found: dict[bytes, StoredMemory] = {}

        def add(memory_id: bytes) -> bool:
            if memory_id not in found:
                row = self._get(txn, agent, [memory_id])[0]
                if row is None or row.memory is None or not counts(row):
                    return False
                found[memory_id] = row
            return True

        for concern in concerns:
            for key in self._keys(txn, ABOUT, agent + check_id(concern.memory_id)):
                add(key[-MEMORY_ID:])
            if concern.statement is not None:
                history = said_key(agent, concern.statement)
                own, stop = history + time_key(concern.start), b""
                for key in self._keys(txn, SAID, history, own):
                    if stop and not key.startswith(stop):
                        break
                    if add(key[-MEMORY_ID:]) and not key.startswith(own):
                        stop = key[:-MEMORY_ID]
        return [found[memory_id] for memory_id in sorted(found)]

    def _keys(self, txn: Transaction, name: str, prefix: bytes, start: bytes = b"") -> Iterator[bytes]:
        """Keys of an index from ``start`` on that begin with ``prefix``."""
        with txn.cursor(db=self._env.databases[name]) as cursor:
            there = cursor.set_range(start or prefix)
            while there and (key := cursor.key()).startswith(prefix):
                yield key
                there = cursor.next()

    def _live_ids(self, txn: Transaction, agent: bytes, canonical: Canonical) -> list[bytes]:
        ids = []
        with txn.cursor(db=self._rows) as cursor:
            there = cursor.set_range(agent)
            while there and (key := cursor.key()).startswith(agent):
                if self._decode(key, cursor.value())[1].live(canonical):
                    ids.append(key[AGENT:])
                there = cursor.next()
        return ids

    def _footing(self, txn: Transaction, agent: bytes, since: int, now: int) -> Footing:
        later = agent + time_key(now + 1)
        turn = next((key[AGENT : AGENT + TIME] for key in self._keys(txn, TURNS, agent, later)), None)
        ahead = next(self._keys(txn, BY_TIME, agent, later), None) is not None
        return Footing(
            version=self._index.version(txn, agent),
            blocks=self._blocks.since(txn, agent, since),
            turn=now + 1 if ahead else None if turn is None else time_of(turn),
        )

    def _agents(self, txn: Transaction, after: bytes) -> list[bytes]:
        page: list[bytes] = []
        with txn.cursor(db=self._rows) as cursor:
            there = cursor.set_range(after) if after else cursor.first()
            while there and len(page) < PAGE:
                page.append(cursor.key()[:AGENT])
                there = cursor.set_range(page[-1] + PAST_ANY_ID)
        return page
