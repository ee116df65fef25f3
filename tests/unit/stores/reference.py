"""Stores in plain dictionaries: the slowest, plainest reading of the interfaces, to compare the real ones with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import numpy as np

from schemas.records import Memory, MemoryFact
from streams.core.presence import Fact, Presence
from streams.ports.stores import (
    Canonical,
    Changes,
    Concern,
    Counts,
    Footing,
    Hit,
    MemoryFilter,
    StoredMemory,
    VectorRow,
    Version,
)
from tests.concerns import concerning
from tests.versions import Versions, footing_of


def fact_of(record: MemoryFact) -> Fact:
    at = record["block"]
    return Fact(record["cause"]) if at is None else Fact(record["cause"], at["hash"], at["number"])


class DictMemoryStore:
    identity = b""

    def __init__(self) -> None:
        self.memories: dict[tuple[bytes, bytes], Memory] = {}
        self.facts: dict[tuple[bytes, bytes], set[tuple[str, Fact]]] = {}
        self.versions = Versions()

    async def apply(self, facts: Sequence[MemoryFact]) -> None:
        for record in facts:
            key = (record["owner"], record["memory_id"])
            standing = self.facts.setdefault(key, set())
            if (record["op"], fact_of(record)) not in standing:
                self.versions.note(*key, there=True)
            standing.add((record["op"], fact_of(record)))
            if record["memory"] is not None:
                self.memories.setdefault(key, record["memory"])

    async def revert(self, facts: Sequence[MemoryFact]) -> None:
        for record in facts:
            key = (record["owner"], record["memory_id"])
            standing = self.facts.get(key, set())
            if (record["op"], fact_of(record)) not in standing:
                continue
            standing.discard((record["op"], fact_of(record)))
            self.versions.note(*key, there=bool(standing))
            if not any(op == "UPSERT" for op, _ in standing):
                self.memories.pop(key, None)
            if not standing:
                del self.facts[key]

    def _stored(self, key: tuple[bytes, bytes]) -> StoredMemory | None:
        if key not in self.facts:
            return None
        upserts = frozenset(f for op, f in self.facts[key] if op == "UPSERT")
        deletes = frozenset(f for op, f in self.facts[key] if op == "DELETE")
        return StoredMemory(self.memories[key] if upserts else None, Presence(upserts, deletes))

    async def get(self, agent: bytes, ids: Sequence[bytes]) -> list[StoredMemory | None]:
        return [self._stored((agent, i)) for i in ids]

    def _live(self, agent: bytes, canonical: Canonical) -> list[Memory]:
        rows = [self._stored(key) for key in self.facts if key[0] == agent]
        return [r.memory for r in rows if r is not None and r.memory is not None and r.presence.live(canonical)]

    async def query(self, agent: bytes, wanted: MemoryFilter, canonical: Canonical) -> list[Memory]:
        found = [
            m
            for m in self._live(agent, canonical)
            if (wanted.types is None or m["type"] in wanted.types)
            and (wanted.tags is None or wanted.tags & set(m["tags"]))
            and m["importance"] >= wanted.min_importance
            and m["form"] in wanted.forms
            and wanted.in_place(m)
            and (wanted.since is None or m["timestamp"] >= wanted.since)
            and (wanted.until is None or m["timestamp"] <= wanted.until)
            and (wanted.after is None or (m["timestamp"], m["id"]) < wanted.after)
        ]
        return sorted(found, key=lambda m: (m["timestamp"], m["id"]), reverse=True)[: max(0, wanted.limit)]

    async def live_ids(self, agent: bytes, canonical: Canonical) -> list[bytes]:
        return sorted(m["id"] for m in self._live(agent, canonical))

    async def concerning(self, agent: bytes, concerns: Sequence[Concern], counts: Counts) -> list[StoredMemory]:
        return concerning([row for key in self.facts if key[0] == agent and (row := self._stored(key))], concerns, counts)

    async def agents(self) -> AsyncIterator[bytes]:
        for agent in sorted({key[0] for key in self.facts}):
            yield agent

    async def version(self, agent: bytes) -> Version | None:
        return self.versions.of(agent)

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        return self.versions.changes(agent, since, limit)

    async def footing(self, agent: bytes, since: int, now: int) -> Footing | None:
        rows = [row for key in self.facts if key[0] == agent and (row := self._stored(key))]
        return footing_of(self.versions.of(agent), rows, since, now)

    async def close(self) -> None: ...


class DictVectorStore:
    identity = b""

    def __init__(self) -> None:
        self.rows: dict[tuple[bytes, bytes], np.ndarray] = {}
        self.whole: dict[tuple[bytes, bytes], VectorRow] = {}
        self.versions = Versions()

    async def upsert(self, rows: Sequence[VectorRow]) -> None:
        for row in rows:
            self.versions.note(row.agent, row.memory_id, there=True)
        self.rows |= {(r.agent, r.memory_id): r.vector for r in rows}
        self.whole |= {(r.agent, r.memory_id): r for r in rows}

    async def delete(self, keys: Sequence[tuple[bytes, bytes]]) -> None:
        for key in keys:
            if self.rows.pop(key, None) is not None:
                self.versions.note(*key, there=False)
            self.whole.pop(key, None)

    async def search(self, agent: bytes, vector: np.ndarray, limit: int) -> list[Hit]:
        hits = [Hit(a, i, float(v @ vector)) for (a, i), v in self.rows.items() if a == agent]
        return sorted(hits, key=lambda hit: (-round(hit.score, 6), hit.memory_id))[:limit]

    async def get(self, agent: bytes, memory_id: bytes) -> np.ndarray | None:
        return self.rows.get((agent, memory_id))

    async def find(self, keys: Sequence[tuple[bytes, bytes]]) -> list[VectorRow | None]:
        return [self.whole.get(key) for key in keys]

    async def version(self, agent: bytes) -> Version | None:
        return self.versions.of(agent)

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        return self.versions.changes(agent, since, limit)

    async def close(self) -> None: ...
