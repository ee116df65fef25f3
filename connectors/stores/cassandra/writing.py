"""Facts into the tables: rows and what leads to them, then the head that announces them.

A reader knows an agent's rows by the version in its head. It is written last: whoever reads rows at a version has at least what
that announced, and what came in between it is told of by the next one. An owner that dies before it is repeated by the next,
which announces what it finds (see ``stamps``).
Invariant: what is written of one bucket goes as unlogged batches of one partition and at most BATCH bytes, of which one alone
may be larger; all of one memory is in one of them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

from connectors.stores.cassandra.connection import Connection, Write
from connectors.stores.cassandra.rows import Change, Row, RowWrites, check_facts
from connectors.stores.cassandra.schema import TABLES
from connectors.stores.cassandra.stamps import Writer
from connectors.stores.keys import check_agent, check_id
from schemas.records import MemoryFact

BATCH = 48 * 1024
CELL = 40
"""Bytes that a value takes beside its own."""
IDS = 100
"""Most ids in one question."""
REMOVED = 1_000
"""Ids of removed rows that are kept, so that readers are told; beyond, they are swept out and readers start over."""
UNREADABLE = ("edges", "statements", "turns")
"""Whose entries nobody can name any more when an agent's keys were destroyed."""


def bucket_of(memory_id: bytes, buckets: int) -> int:
    """Where a memory lies; ids are hashes."""
    return int.from_bytes(check_id(memory_id)[-4:], "big") % buckets


def shard_of(agent: bytes) -> int:
    """The partition of ``agents`` an agent is listed in."""
    return agent[0]


async def together(parts: Iterable[Awaitable[Any]]) -> list[Any]:
    """Waits for all, also where one fails, so that nothing of it goes on behind the caller's back; then raises the first."""
    done = await asyncio.gather(*parts, return_exceptions=True)
    for answer in done:
        if isinstance(answer, BaseException):
            raise answer
    return done


async def read_rows(connection: Connection, agent: bytes, ids: Iterable[bytes]) -> dict[bytes, Row]:
    """Rows by id; not those that are not there."""
    await connection.ready()
    asked: defaultdict[int, list[bytes]] = defaultdict(list)
    for memory_id in dict.fromkeys(ids):
        asked[bucket_of(memory_id, connection.buckets)].append(memory_id)
    parts = [(bucket, own[i : i + IDS]) for bucket, own in asked.items() for i in range(0, len(own), IDS)]
    pages = await together(connection.read("rows", agent, bucket, part) for bucket, part in parts)
    return {
        memory_id: Row(wire, dict(facts.items()) if facts else {}, changed)
        for page in pages
        for memory_id, wire, facts, changed in page
    }


class Writing:
    """What a handle does to the tables."""

    def __init__(self, connection: Connection, writer: Writer) -> None:
        self._connection = connection
        self._writer = writer

    async def change(self, facts: Sequence[MemoryFact], forward: bool) -> None:
        """Applies or reverts. Raises FencedError before anything is written, StoreError."""
        check_facts(facts if forward else ())
        by_agent: defaultdict[bytes, defaultdict[bytes, list[MemoryFact]]] = defaultdict(lambda: defaultdict(list))
        for fact in facts:
            by_agent[check_agent(fact["owner"])][check_id(fact["memory_id"])].append(fact)
        async with self._writer.lock:
            await self._connection.ready()
            await self._writer.check()
            try:
                await together(self._change(agent, rows, forward) for agent, rows in by_agent.items())
                self._writer.complete()
            except BaseException:
                self._writer.doubt()
                raise

    async def _change(self, agent: bytes, facts: dict[bytes, list[MemoryFact]], forward: bool) -> None:
        rows, found = await together([read_rows(self._connection, agent, facts), self._connection.read("head", agent)])
        epoch, stamp, removed = found[0] if found else (0, 0, 0)
        first = self._writer.reserve(len(facts) + 1)
        changes: dict[bytes, Change] = {}
        for place, (memory_id, own) in enumerate(facts.items()):
            writes = RowWrites(agent, bucket_of(memory_id, self._connection.buckets), memory_id, first + place)
            row = rows.get(memory_id, Row())
            changes[memory_id] = (
                writes.apply(row, own, self._writer.settled) if forward else writes.revert(row, own, self._writer.settled)
            )
        last = first + len(facts)
        shows = any(change.shows for change in changes.values())
        new = not stamp
        listed = [self._connection.write("put_agent", shard_of(agent), agent, last)] if shows and new else []
        await together([*self._batches(changes), *listed])
        if any(change.unreadable for change in changes.values()):
            await self._clear(agent, last, UNREADABLE)
        if not shows:
            return
        gone = sum(change.gone for change in changes.values())
        if gone and await self._is_empty(agent):
            await self._connection.write("put_head", last, last, 0, 0, agent)
            await self._connection.write("drop_agent", last, shard_of(agent), agent)
            await self._clear(agent, last, TABLES)
            return
        removed += gone
        if new:
            epoch = first
        elif removed > REMOVED:
            await self._sweep(agent, last)
            epoch, removed = last, 0
        await self._connection.write("put_head", last, epoch, last, removed, agent)

    def _batches(self, changes: dict[bytes, Change]) -> Iterable[Awaitable[None]]:
        by_bucket: defaultdict[int, list[list[Write]]] = defaultdict(list)
        for memory_id, change in changes.items():
            if change.writes:
                by_bucket[bucket_of(memory_id, self._connection.buckets)].append(change.writes)
        for groups in by_bucket.values():
            batch: list[Write] = []
            size = 0
            for group in groups:
                grown = sum(map(_size, group))
                if batch and size + grown > BATCH:
                    yield self._connection.batch(batch)
                    batch, size = [], 0
                batch = batch + group
                size += grown
            yield self._connection.batch(batch)

    async def _is_empty(self, agent: bytes) -> bool:
        for bucket in range(self._connection.buckets):
            async for page in self._connection.pages("presences", agent, bucket, size=IDS):
                if any(facts for _, facts in page):
                    return False
        return True

    async def _clear(self, agent: bytes, stamp: int, tables: Iterable[str]) -> None:
        """Removes all partitions of an agent, or those of some tables."""
        names = [f"clear_{table}" for table in tables]
        await together(
            self._connection.batch([(name, (stamp, agent, bucket)) for name in names])
            for bucket in range(self._connection.buckets)
        )

    async def _sweep(self, agent: bytes, stamp: int) -> None:
        """Forgets which rows were removed."""
        await together(self._sweep_bucket(agent, bucket, stamp) for bucket in range(self._connection.buckets))

    async def _sweep_bucket(self, agent: bytes, bucket: int, stamp: int) -> None:
        async for page in self._connection.pages("gone", agent, bucket, size=IDS):
            writes: list[Write] = []
            for place, memory_id, gone in page:
                if gone:
                    writes.append(("drop_change", (stamp, place, agent, bucket)))
                    writes.append(("drop_changed", (stamp, agent, bucket, memory_id)))
            if writes:
                await self._connection.batch(writes)


def _size(write: Write) -> int:
    return sum(
        CELL + (len(value) if isinstance(value, bytes | str) else 100 * len(value) if hasattr(value, "__len__") else 8)
        for value in write[1]
    )
