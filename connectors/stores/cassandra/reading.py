"""Questions to the tables. Each is asked of all buckets of the agent at once, and what comes back is merged.

Invariant: an entry of a table that leads to a row is a hint: the row decides whether it is there and what it says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import NamedTuple

from connectors.stores.cassandra.connection import Connection
from connectors.stores.cassandra.merging import Fetch, merged
from connectors.stores.cassandra.rows import BANDS, TIME, Row, band, clamped, presence_of, read_memory
from connectors.stores.cassandra.writing import IDS, read_rows, together
from connectors.stores.keys import AGENT, check_id
from connectors.stores.memory_index import HIGHEST, LOWEST, PAST_ANY_ID, said_key
from schemas.records import MEMORY_TYPES, Memory
from streams.ports.stores import Canonical, Changes, Concern, Counts, Footing, MemoryFilter, StoredMemory, Version

SHARDS = 256
ABREAST = 16
"""Partitions of ``agents`` that are read ahead."""
SPARE = 8
CHUNK = 400
"""Most rows that are read at once to be filtered."""
MOST_LISTINGS = 5
Listed = tuple[int, bytes, int, bool, float]
"""Timestamp, id, type code, whether it is an amendment, importance."""
Said = tuple[int, bytes]
"""Start, id."""


class Span(NamedTuple):
    """Of an order of (timestamp, id), downwards: from before the one to the other."""

    before: tuple[int, bytes]
    last: tuple[int, bytes]


class Reading:
    """What a handle asks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, agent: bytes, ids: Sequence[bytes]) -> list[StoredMemory | None]:
        rows = await read_rows(self._connection, agent, map(check_id, ids))
        return [_stored(agent, memory_id, rows.get(memory_id)) for memory_id in ids]

    async def query(self, agent: bytes, wanted: MemoryFilter, canonical: Canonical) -> list[Memory]:
        found: list[Memory] = []
        if wanted.limit <= 0:
            return found
        waiting: list[bytes] = []
        async for memory_id in self._listed(agent, wanted):
            waiting.append(memory_id)
            if len(waiting) >= min(wanted.limit - len(found) + SPARE, CHUNK):
                found += await self._matching(agent, waiting, wanted, canonical)
                waiting = []
                if len(found) >= wanted.limit:
                    return found[: wanted.limit]
        found += await self._matching(agent, waiting, wanted, canonical)
        return found[: wanted.limit]

    async def live_ids(self, agent: bytes, canonical: Canonical) -> list[bytes]:
        async def of(bucket: int) -> list[bytes]:
            return [
                memory_id
                async for page in self._connection.pages("presences", agent, bucket)
                for memory_id, facts in page
                if facts and presence_of(facts).live(canonical)
            ]

        parts: list[list[bytes]] = await together(map(of, await self._buckets()))
        return sorted(memory_id for part in parts for memory_id in part)

    async def concerning(self, agent: bytes, concerns: Sequence[Concern], counts: Counts) -> list[StoredMemory]:
        found: dict[bytes, StoredMemory] = {}
        ends = sorted({check_id(concern.memory_id) for concern in concerns})
        parts = [(bucket, ends[i : i + IDS]) for bucket in await self._buckets() for i in range(0, len(ends), IDS)]
        pages = await together(self._connection.read("edges", agent, bucket, part) for bucket, part in parts)
        holders = sorted({memory_id for page in pages for (memory_id,) in page})
        await self._add(agent, holders, counts, found)
        for statement, start in sorted({(c.statement, c.start) for c in concerns if c.statement is not None}):
            await self._history(agent, said_key(agent, statement)[AGENT:], clamped(start), counts, found)
        return [found[memory_id] for memory_id in sorted(found)]

    async def agents(self) -> AsyncIterator[bytes]:
        await self._connection.ready()
        for first in range(0, SHARDS, ABREAST):
            shards = range(first, min(first + ABREAST, SHARDS))
            pages = await together(self._agents(shard, b"") for shard in shards)
            for shard, page in zip(shards, pages, strict=True):
                while page:
                    for agent in page:
                        yield agent
                    page = await self._agents(shard, page[-1])  # noqa: PLW2901  (the shard's next one)

    async def version(self, agent: bytes) -> Version:
        found = await self._connection.read("head", agent)
        return Version(found[0][0], found[0][1]) if found else Version()

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes:
        now = await self.version(agent)
        start_over = since is None or since.epoch != now.epoch
        after = 0 if since is None or start_over else since.sequence
        if after >= now.sequence:
            return Changes(now, [], start_over, more=False)
        pages = await together(
            self._connection.read("changes", agent, bucket, after, now.sequence, limit + 1) for bucket in await self._buckets()
        )
        changed = sorted(entry for page in pages for entry in page)
        ids = [memory_id for _, memory_id in changed[:limit]]
        if len(changed) <= limit:
            return Changes(now, ids, start_over, more=False)
        return Changes(Version(now.epoch, changed[limit - 1][0]), ids, start_over, more=True)

    async def footing(self, agent: bytes, since: int, now: int) -> Footing:
        version = await self.version(agent)  # before the rest: what is announced meanwhile has another one
        buckets = await self._buckets()
        blocks, ahead, turns = await together(
            [
                together(self._connection.read("blocks", agent, bucket, max(0, since)) for bucket in buckets),
                together(self._connection.read("ahead", agent, bucket, clamped(now)) for bucket in buckets),
                together(self._connection.read("turn", agent, bucket, clamped(now)) for bucket in buckets),
            ]
        )
        later = [at for page in turns for (at,) in page]
        return Footing(
            version=version,
            blocks=sorted({block for page in blocks for block in page}),
            turn=now + 1 if any(ahead) else min(later, default=None),
        )

    async def _buckets(self) -> range:
        await self._connection.ready()
        return range(self._connection.buckets)

    async def _agents(self, shard: int, after: bytes) -> list[bytes]:
        return [agent for (agent,) in await self._connection.read("agents", shard, after, IDS)]

    async def _matching(self, agent: bytes, ids: Sequence[bytes], wanted: MemoryFilter, canonical: Canonical) -> list[Memory]:
        return [
            row.memory
            for row in await self.get(agent, ids)
            if row is not None
            and row.memory is not None
            and row.presence.live(canonical)
            and wanted.in_place(row.memory)
            and (wanted.tags is None or not wanted.tags.isdisjoint(row.memory["tags"]))
        ]

    async def _listed(self, agent: bytes, wanted: MemoryFilter) -> AsyncIterator[bytes]:
        """Ids from the newest on that pass what the tables know: time, type, importance."""
        codes = None if wanted.types is None else {MEMORY_TYPES.index(name) for name in wanted.types}
        forms = {name == "AMENDMENT" for name in wanted.forms}
        newest = (HIGHEST if wanted.until is None else clamped(wanted.until), PAST_ANY_ID)
        if wanted.after is not None:
            newest = min(newest, (clamped(wanted.after[0]), check_id(wanted.after[1])))
        span = Span(newest, (LOWEST if wanted.since is None else clamped(wanted.since), b""))
        places = [(agent, bucket, listing) for listing in _listings(wanted) for bucket in await self._buckets()]
        size = min(wanted.limit, IDS) // len(places) + SPARE if places else 0
        fetches: list[Fetch[Listed]] = [partial(self._listed_in, place, span, size) for place in places]
        async for _, memory_id, code, amendment, importance in merged(fetches, lambda entry: entry[:2], descending=True):
            if (codes is None or code in codes) and amendment in forms and importance >= wanted.min_importance:
                yield memory_id

    async def _listed_in(self, place: tuple[bytes, int, str], span: Span, size: int, last: Listed | None) -> Sequence[Listed]:
        start = span.before if last is None else last[:2]
        return await self._connection.read("listed", *place, *start, *span.last, size)

    async def _history(self, agent: bytes, said: bytes, start: int, counts: Counts, found: dict[bytes, StoredMemory]) -> None:
        """Statements of that start, and of the next one at which one counts."""
        fetches: list[Fetch[Said]] = [partial(self._said_in, agent, bucket, said, start) for bucket in await self._buckets()]
        same: list[Said] = []
        async for entry in merged(fetches, lambda entry: entry):
            if same and same[0][0] != entry[0]:
                if await self._ends(agent, same, start, counts, found):
                    return
                same = []
            same.append(entry)
        await self._ends(agent, same, start, counts, found)

    async def _ends(
        self, agent: bytes, same: Sequence[Said], start: int, counts: Counts, found: dict[bytes, StoredMemory]
    ) -> bool:
        """Adds the statements of one start; whether one counts and it is a later start than the one asked about."""
        added = await self._add(agent, [memory_id for _, memory_id in same], counts, found)
        return added and same[0][0] != start

    async def _said_in(self, agent: bytes, bucket: int, said: bytes, start: int, last: Said | None) -> Sequence[Said]:
        behind = (start, b"") if last is None else last
        return await self._connection.read("statements", agent, bucket, said, *behind, IDS)

    async def _add(self, agent: bytes, ids: Sequence[bytes], counts: Counts, found: dict[bytes, StoredMemory]) -> bool:
        """Adds the rows that count; whether there is one among these, new or not."""
        fresh = [memory_id for memory_id in ids if memory_id not in found]
        rows = zip(fresh, await self.get(agent, fresh), strict=True)
        found |= {memory_id: row for memory_id, row in rows if row is not None and row.memory is not None and counts(row)}
        return any(memory_id in found for memory_id in ids)


def _stored(agent: bytes, memory_id: bytes, row: Row | None) -> StoredMemory | None:
    if row is None or not row.facts:
        return None
    presence = row.presence
    memory = read_memory(row.wire, agent, memory_id) if row.wire and presence.upserts else None
    return StoredMemory(memory, presence)


def _listings(wanted: MemoryFilter) -> list[str]:
    """The fewest entries to read: those of the types, or of the higher importances, or all."""
    if wanted.types is not None and len(wanted.types) <= MOST_LISTINGS:
        return [f"type:{name}" for name in sorted(wanted.types)]
    lowest = band(wanted.min_importance)
    if BANDS - lowest < MOST_LISTINGS:
        return [f"importance:{number}" for number in range(lowest, BANDS + 1)]
    return [TIME]
