"""In-memory stand-ins for services: for tests of what lies above a port, never of the port itself.

They keep the port's contract, and break where a test tells them to: ``broken`` makes every call raise StoreError.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from schemas.codec import codec
from schemas.records import AgentAccess, Memory, MemoryCommand, MemoryFact, Session
from streams.agents.access import CHANGES, Authority, nothing_granted
from streams.agents.erasure import erasure_of
from streams.agents.memory_facts import command_facts
from streams.core.canonical import CanonicalView, ChainStep
from streams.core.presence import Fact, Presence
from streams.errors import MonmouthError, StoreError
from streams.identity.commands import sign_as_gateway
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
from streams.serving.commands import Acknowledged
from streams.serving.erasures import Carried
from streams.serving.faults import UnavailableError
from streams.serving.final_logs import FinalLogs
from streams.serving.graph.table import GraphTable
from streams.serving.progress import Standing
from streams.serving.root_history import RootHistory, Seen
from streams.serving.roots import Root
from streams.serving.sync.kept import Kept
from streams.signing import Signer, Verifier
from tests.concerns import concerning
from tests.identity import PLACE
from tests.versions import Versions, footing_of


def _fact(record: MemoryFact) -> Fact:
    block = record["block"]
    return Fact(record["cause"], block["hash"], block["number"]) if block else Fact(record["cause"])


class Breakable:
    broken = False

    def _check(self) -> None:
        if self.broken:
            raise StoreError("the store is closed", "Open it.")


class FakeMemoryStore(Breakable):
    def __init__(self) -> None:
        self.rows: dict[tuple[bytes, bytes], StoredMemory] = {}
        self.versions = Versions()

    async def apply(self, facts: Sequence[MemoryFact]) -> None:
        self._check()
        for record in facts:
            key = (record["owner"], record["memory_id"])
            row = self.rows.get(key, StoredMemory(None, Presence()))
            if record["op"] == "UPSERT":
                self.rows[key] = StoredMemory(record["memory"], row.presence.upsert(_fact(record)))
            else:
                self.rows[key] = StoredMemory(row.memory, row.presence.delete(_fact(record)))
            if self.rows[key] != row:
                self.versions.note(*key, there=True)

    async def revert(self, facts: Sequence[MemoryFact]) -> None:
        self._check()
        for record in facts:
            key = (record["owner"], record["memory_id"])
            row = self.rows.get(key, StoredMemory(None, Presence()))
            presence = row.presence.without(_fact(record))
            if presence != row.presence:
                self.versions.note(*key, there=bool(presence))
            if presence:
                self.rows[key] = StoredMemory(row.memory, presence)
            else:
                self.rows.pop(key, None)

    async def get(self, agent: bytes, ids: Sequence[bytes]) -> list[StoredMemory | None]:
        self._check()
        return [self.rows.get((agent, memory_id)) for memory_id in ids]

    def _live(self, agent: bytes, canonical: Canonical) -> list[Memory]:
        self._check()
        rows = [row for (owner, _), row in self.rows.items() if owner == agent]
        return [row.memory for row in rows if row.memory is not None and row.presence.live(canonical)]

    async def query(self, agent: bytes, wanted: MemoryFilter, canonical: Canonical) -> list[Memory]:
        found = [
            memory
            for memory in self._live(agent, canonical)
            if (wanted.types is None or memory["type"] in wanted.types)
            and wanted.in_place(memory)
            and (wanted.tags is None or wanted.tags & set(memory["tags"]))
            and memory["importance"] >= wanted.min_importance
            and memory["form"] in wanted.forms
            and (wanted.since is None or memory["timestamp"] >= wanted.since)
            and (wanted.until is None or memory["timestamp"] <= wanted.until)
            and (wanted.after is None or (memory["timestamp"], memory["id"]) < wanted.after)
        ]
        return sorted(found, key=lambda memory: (memory["timestamp"], memory["id"]), reverse=True)[: wanted.limit]

    async def live_ids(self, agent: bytes, canonical: Canonical) -> list[bytes]:
        return sorted(memory["id"] for memory in self._live(agent, canonical))

    async def concerning(self, agent: bytes, concerns: Sequence[Concern], counts: Counts) -> list[StoredMemory]:
        self._check()
        return concerning([row for (owner, _), row in self.rows.items() if owner == agent], concerns, counts)

    async def agents(self) -> AsyncIterator[bytes]:
        for agent in {owner for owner, _ in self.rows}:
            yield agent

    async def version(self, agent: bytes) -> Version | None:
        self._check()
        return self.versions.of(agent)

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        self._check()
        return self.versions.changes(agent, since, limit)

    async def footing(self, agent: bytes, since: int, now: int) -> Footing | None:
        self._check()
        rows = [row for (owner, _), row in self.rows.items() if owner == agent]
        return footing_of(self.versions.of(agent), rows, since, now)

    async def close(self) -> None:
        self.broken = True


class FakeVectorStore(Breakable):
    """Exact search. ``leaks``: rows of any agent, as a faulty index would give them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[bytes, bytes], NDArray[np.float32]] = {}
        self.limits: list[int] = []
        self.versions = Versions()
        self.leaks = False

    async def upsert(self, rows: Sequence[VectorRow]) -> None:
        self._check()
        self.rows.update({(row.agent, row.memory_id): row.vector for row in rows})
        for row in rows:
            self.versions.note(row.agent, row.memory_id, there=True)

    async def delete(self, keys: Sequence[tuple[bytes, bytes]]) -> None:
        self._check()
        for key in keys:
            if self.rows.pop(key, None) is not None:
                self.versions.note(*key, there=False)

    async def search(self, agent: bytes, vector: NDArray[np.float32], limit: int) -> list[Hit]:
        self._check()
        self.limits.append(limit)
        hits = [
            Hit(agent, memory_id, float(row @ vector))
            for (owner, memory_id), row in self.rows.items()
            if self.leaks or owner == agent
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.memory_id))[:limit]

    async def get(self, agent: bytes, memory_id: bytes) -> NDArray[np.float32] | None:
        self._check()
        return self.rows.get((agent, memory_id))

    async def find(self, keys: Sequence[tuple[bytes, bytes]]) -> list[VectorRow | None]:
        self._check()
        return [VectorRow(*key, self.rows[key]) if key in self.rows else None for key in keys]

    async def version(self, agent: bytes) -> Version | None:
        self._check()
        return self.versions.of(agent)

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        self._check()
        return self.versions.changes(agent, since, limit)

    async def close(self) -> None:
        self.broken = True


class FakeEmbedder(Breakable):
    """Bag of words: texts that share words are near each other."""

    model = "fake"
    model_hash = bytes(32)
    backend = "fake"
    dimension = 1_024

    def __init__(self) -> None:
        self.calls = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self._check()
        self.calls += 1
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[0] = 1e-3  # no text is the zero vector
            for word in text.lower().split():
                row[1 + int.from_bytes(blake3(word.encode()).digest(2), "big") % (self.dimension - 1)] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def count_tokens(self, text: str) -> int:
        self._check()
        return len(text.split())


class FakeChain:
    """A ChainReader fed by hand. ``pending`` steps are in the log but not in the view before the next barrier."""

    def __init__(self) -> None:
        self.view = CanonicalView()
        self.pending: list[ChainStep] = []
        self.stuck = False
        self.barriers = 0

    async def barrier(self) -> None:
        self.barriers += 1
        if self.stuck:
            raise UnavailableError("chain.blocks could not be read to its end within 0 s", "Ask again.")
        self.catch_up()

    def catch_up(self) -> None:
        for step in self.pending:
            self.view.apply(step)
        self.pending.clear()

    async def lag(self) -> int:
        if self.stuck:
            raise UnavailableError("no connection to the broker")
        return len(self.pending)


class FakeAccess:
    """An AccessTable that takes commands as the memory agent does."""

    def __init__(self, signer: Signer) -> None:
        self.authority = Authority("gateway", Verifier([signer.public]), PLACE)
        self._signer = signer
        self.rows: dict[bytes, AgentAccess] = {}
        self.broken = False

    async def held(self, agent: bytes) -> AgentAccess:
        if self.broken:
            raise UnavailableError("agents.access could not be read")
        return self.rows.get(agent) or nothing_granted(agent)

    async def fresh(self, agent: bytes) -> AgentAccess:
        return await self.held(agent)

    async def granting(self, grantee: bytes) -> list[AgentAccess]:
        await self.held(grantee)
        return [row for _, row in sorted(self.rows.items()) if any(grant["grantee"] == grantee for grant in row["grants"])]

    def take(self, command: MemoryCommand) -> None:
        if command["signature"] is None and command["op"] != "REGISTER_KEY":
            command = sign_as_gateway(self._signer, command)
        row = self.rows.get(command["agent"]) or nothing_granted(command["agent"])
        self.rows[command["agent"]] = CHANGES[command["op"]](self.authority, row, command, b"")


class FakeCommandLog:
    """Keeps commands; with a ``store``, plays the memory agent at once, but for ERASE, which waits for ``erase``.

    ``access``: takes what is said of keys and grants.
    """

    def __init__(self, store: FakeMemoryStore | None = None, access: FakeAccess | None = None) -> None:
        self._access = access
        self.sent: list[MemoryCommand] = []
        self.raw: list[bytes] = []
        self.refusal: Exception | None = None
        self.erased: dict[bytes, Carried] = {}
        self._store = store

    async def send(self, command: MemoryCommand) -> Acknowledged:
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(command)
        if command["op"] in CHANGES and self._access is not None:
            self._access.take(command)
        elif command["op"] != "ERASE" and self._store is not None:
            await self._store.apply(command_facts(command["agent"], command))
        return Acknowledged(0, len(self.sent) - 1)

    async def send_raw(self, agent: bytes, command_id: bytes, value: bytes) -> Acknowledged:
        self.raw.append(value)
        return await self.send(codec().decode(value)[1])

    def erase(self, agent: bytes) -> None:
        """Plays the memory agent on the newest ERASE."""
        assert self._store is not None
        command = [sent for sent in self.sent if (sent["op"], sent["agent"]) == ("ERASE", agent)][-1]
        gone = [key for key in self._store.rows if key[0] == agent]
        for key in gone:
            del self._store.rows[key]
        self.erased.setdefault(agent, Carried(erasure_of(command, len(gone)), 0, len(self.erased)))

    async def fresh(self, agent: bytes) -> Carried | None:
        """As an ErasureTable."""
        return self.erased.get(agent)


def fact_of(command: MemoryCommand) -> MemoryFact:
    """What the memory agent makes of a command that leads to one fact."""
    (fact,) = command_facts(command["agent"], command)
    return fact


class FakeGraph:
    """A GraphSource filled by hand. ``failure``: what every barrier raises; ``slow``: seconds it takes."""

    failure: MonmouthError | None = None
    slow = 0.0

    def __init__(self, limit: int = 10_000) -> None:
        self.final: int | None = None
        self.table = GraphTable(limit, lambda: self.final)

    async def barrier(self) -> None:
        await asyncio.sleep(self.slow)
        if self.failure is not None:
            raise self.failure


class FakeProgress:
    """A ProgressTable set by hand; every partition stands at the same place."""

    def __init__(self) -> None:
        self.standings: dict[str, Standing] = {}
        self.kept: dict[int, Kept] = {}

    async def fresh(self, stream_agent: str, partition: int) -> Standing | None:
        return self.standings.get(stream_agent)

    async def fresh_kept(self) -> dict[int, Kept]:
        return self.kept


class FakeSessions:
    """A SessionTable set by hand."""

    def __init__(self) -> None:
        self.rows: dict[bytes, dict[bytes, Session]] = {}

    async def fresh(self, agent: bytes) -> dict[bytes, Session]:
        return dict(self.rows.get(agent, {}))


class FakeRoots:
    """A RootTable and LogTable set by hand."""

    def __init__(self) -> None:
        self.logs = FinalLogs()
        self.rows: dict[bytes, Root] = {}
        self.past: RootHistory[Root] = RootHistory()

    @property
    def active(self) -> int:
        return sum(root.count > 0 for root in self.rows.values())

    @property
    def known(self) -> int:
        return len(self.rows)

    @property
    def recent(self) -> list[Root]:
        return list(reversed(self.rows.values()))

    async def fresh(self, agent: bytes) -> Root | None:
        return self.rows.get(agent)

    async def history(self, agent: bytes) -> list[Seen[Root]]:
        return self.past.of(agent)

    async def fresh_logs(self) -> FinalLogs:
        return self.logs
