"""In-memory stand-ins for what the runtime hands to a stream agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from schemas.records import Memory, MemoryFact
from streams.agents.base import Record
from streams.core.presence import Fact, Presence
from streams.ports.stores import Canonical, Changes, Concern, Counts, Footing, MemoryFilter, StoredMemory, Version
from tests.concerns import concerning
from tests.versions import Versions, footing_of


class MemoryState:
    """LocalState in a dict. ``copy`` of the content makes aborts and comparisons of whole states plain."""

    def __init__(self, content: Mapping[bytes, bytes] | None = None) -> None:
        self.content: dict[bytes, bytes] = dict(content or {})

    def get(self, key: bytes) -> bytes | None:
        return self.content.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        assert isinstance(key, bytes)
        assert isinstance(value, bytes)
        self.content[key] = value

    def delete(self, key: bytes) -> None:
        self.content.pop(key, None)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key in sorted(key for key in self.content if key.startswith(prefix)):
            yield key, self.content[key]


def record_of(topic: str, kind: str, value: Any, offset: int = 0, partition: int = 0, key: bytes | None = None) -> Record:
    """A decoded input record."""
    return Record(topic, partition, offset, key, kind, value)


class DictMemoryStore:
    """MemoryStore in a dict. ``calls`` holds (direction, facts) in the order they came."""

    identity = b""

    def __init__(self) -> None:
        self.rows: dict[bytes, dict[bytes, StoredMemory]] = {}
        self.calls: list[tuple[str, list[MemoryFact]]] = []
        self.versions = Versions()

    async def apply(self, facts: Sequence[MemoryFact]) -> None:
        self.calls.append(("apply", list(facts)))
        for fact in facts:
            memory, presence, name = self._row(fact)
            if fact["op"] == "UPSERT":
                self._put(fact, StoredMemory(memory or fact["memory"], presence.upsert(name)))
            else:
                self._put(fact, StoredMemory(memory, presence.delete(name)))

    async def revert(self, facts: Sequence[MemoryFact]) -> None:
        self.calls.append(("revert", list(facts)))
        for fact in facts:
            memory, presence, name = self._row(fact)
            left = presence.without(name)
            self._put(fact, StoredMemory(memory if left.upserts else None, left))

    async def get(self, agent: bytes, ids: Sequence[bytes]) -> list[StoredMemory | None]:
        return [self.rows.get(agent, {}).get(memory_id) for memory_id in ids]

    async def query(self, agent: bytes, wanted: MemoryFilter, canonical: Canonical) -> list[Memory]:
        found = [row.memory for row in self.rows.get(agent, {}).values() if row.memory and row.presence.live(canonical)]
        kept = [memory for memory in found if self._matches(memory, wanted)]
        return sorted(kept, key=lambda m: (-m["timestamp"], m["id"]))[: wanted.limit]

    async def live_ids(self, agent: bytes, canonical: Canonical) -> list[bytes]:
        return sorted(key for key, row in self.rows.get(agent, {}).items() if row.presence.live(canonical))

    async def concerning(self, agent: bytes, concerns: Sequence[Concern], counts: Counts) -> list[StoredMemory]:
        return concerning(self.rows.get(agent, {}).values(), concerns, counts)

    async def agents(self) -> AsyncIterator[bytes]:
        for agent in sorted(self.rows):
            yield agent

    async def version(self, agent: bytes) -> Version | None:
        return self.versions.of(agent)

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        return self.versions.changes(agent, since, limit)

    async def footing(self, agent: bytes, since: int, now: int) -> Footing | None:
        return footing_of(self.versions.of(agent), self.rows.get(agent, {}).values(), since, now)

    async def close(self) -> None:
        pass

    def _row(self, fact: MemoryFact) -> tuple[Memory | None, Presence, Fact]:
        row = self.rows.get(fact["owner"], {}).get(fact["memory_id"], StoredMemory(None, Presence()))
        block = fact["block"]
        name = Fact(fact["cause"], block["hash"], block["number"]) if block else Fact(fact["cause"])
        return row.memory, row.presence, name

    def _put(self, fact: MemoryFact, row: StoredMemory) -> None:
        owned = self.rows.setdefault(fact["owner"], {})
        if owned.get(fact["memory_id"], StoredMemory(None, Presence())) != row:
            self.versions.note(fact["owner"], fact["memory_id"], bool(row.presence))
        if row.presence:
            owned[fact["memory_id"]] = row
        else:
            owned.pop(fact["memory_id"], None)
            if not owned:
                del self.rows[fact["owner"]]

    @staticmethod
    def _matches(memory: Memory, wanted: MemoryFilter) -> bool:
        return (
            (wanted.types is None or memory["type"] in wanted.types)
            and wanted.in_place(memory)
            and (wanted.tags is None or bool(wanted.tags & set(memory["tags"])))
            and memory["importance"] >= wanted.min_importance
            and memory["form"] in wanted.forms
            and (wanted.since is None or memory["timestamp"] >= wanted.since)
            and (wanted.until is None or memory["timestamp"] <= wanted.until)
        )
