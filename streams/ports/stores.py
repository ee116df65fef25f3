"""Memory and vector stores as the stream agents and the gateway see them.

Every write is durable when it returns, idempotent, and independent of order, because the log may be read twice.
Implementations raise StoreError when a write was not acknowledged; they never drop one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from schemas.records import Memory, MemoryFact, MemoryForm, MemoryType
from streams.core.presence import Presence
from streams.core.session import lies_in
from streams.core.validity import Statement, start_of, statement_of

Canonical = Callable[[bytes], bool]
"""Whether the block of this hash is part of the chain, as the reader knows it. Stores may call it in another thread."""


class Version(NamedTuple):
    """Names what a store holds of one agent: equal versions, equal rows. Grows with each change, in the same transaction.

    Means something within one store (one ``identity``) only. An agent without rows has sequence 0.
    """

    epoch: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """One page of what changed of an agent's rows.

    ``version``: whoever knew the rows at ``since`` and reads those of ``ids`` anew, after this page was made, knows them at
    ``version`` or later; it is the ``since`` of the next page or question. A row that is not there was removed.
    ``start_over``: what was known before is void; ``ids`` begins a walk through every row.
    ``more``: another page waits; without, ``version`` was the agent's when this page was made.
    """

    version: Version
    ids: list[bytes]
    start_over: bool
    more: bool


@dataclass(frozen=True, slots=True)
class Footing:
    """What reads of an agent's rows depend on beside the rows, at ``version``.

    ``blocks``: (number, hash) that their facts name, lowest first. ``turn``: the first second, later than the one asked about,
    from which on they may read differently, since something they say starts or ends to be true; None if there is none. Where
    a memory claims to be from later than that (see ``streams.core.validity``), it is the next second.
    """

    version: Version
    blocks: list[tuple[int, bytes]]
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class StoredMemory:
    """A memory with the facts that stand for it. ``memory`` is None if only DELETEs have been seen."""

    memory: Memory | None
    presence: Presence


Counts = Callable[[StoredMemory], bool]
"""Whether a row stands and is known, as the reader sees it. Stores may call it in another thread."""


@dataclass(frozen=True, slots=True)
class Concern:
    """One memory, as a key to what bears on it: its id and, of a statement, subject, predicate and start."""

    memory_id: bytes
    statement: Statement | None = None
    start: int = 0

    @classmethod
    def of(cls, memory: Memory) -> Concern:
        """Of a memory."""
        return cls(memory["id"], statement_of(memory), start_of(memory))


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """Which memories to read; newest first (timestamp, then id, downwards). ``until``/``since`` are unix seconds, inclusive.

    ``types`` and ``tags``: a memory matches if it has any of them. ``after``: only what lies behind this (timestamp, id) in the
    order, whether a memory is there or not. ``sessions``: what lies in one of these; none: what lies in no session.
    """

    types: frozenset[MemoryType] | None = None
    tags: frozenset[str] | None = None
    min_importance: float = 0.0
    since: int | None = None
    until: int | None = None
    limit: int = 100
    after: tuple[int, bytes] | None = None
    forms: frozenset[MemoryForm] = frozenset({"MEMORY"})
    sessions: frozenset[bytes] = frozenset()

    def in_place(self, memory: Memory) -> bool:
        """Whether it lies in one of ``sessions``; without these, whether it lies in none at all."""
        return lies_in(memory, self.sessions)


class MemoryStore(Protocol):
    """Facts about memories, by agent."""

    @property
    def identity(self) -> bytes:
        """Names this very store: one that was made anew in its place has another. Empty if that cannot be told."""

    async def apply(self, facts: Sequence[MemoryFact]) -> None:
        """Adds facts. A fact that is there already changes nothing."""

    async def revert(self, facts: Sequence[MemoryFact]) -> None:
        """Takes facts back. A memory of which no fact is left is gone."""

    async def get(self, agent: bytes, ids: Sequence[bytes]) -> list[StoredMemory | None]:
        """Memories by id, in the order asked for, live or not."""

    async def query(self, agent: bytes, wanted: MemoryFilter, canonical: Canonical) -> list[Memory]:
        """Live memories that match."""

    async def live_ids(self, agent: bytes, canonical: Canonical) -> list[bytes]:
        """Ids of all live memories of the agent, sorted."""

    async def concerning(self, agent: bytes, concerns: Sequence[Concern], counts: Counts) -> list[StoredMemory]:
        """The rows that count and bear on one of ``concerns``, each once, by id: memories with an edge from or to its id;
        statements of its subject and predicate with its start, and those of the next start at which one counts.

        That is enough for ``streams.core.validity``, without reading a whole history.
        """

    def agents(self) -> AsyncIterator[bytes]:
        """Every agent with at least one row."""

    async def version(self, agent: bytes) -> Version | None:
        """The version of the agent's rows, at least as new as the last acknowledged write. None: this store cannot tell."""

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        """At most ``limit`` ids (one at least) whose rows changed after ``since``; None for ``since``: all there are.

        None: this store cannot tell.
        """

    async def footing(self, agent: bytes, since: int, now: int) -> Footing | None:
        """With blocks of number ``since`` and above, and the first turn after ``now``. None: this store cannot tell."""

    async def claim(self, lane: bytes) -> MemoryStore:
        """The same store for a new owner of ``lane`` (a stream agent's partition); see ``VectorStore.claim``."""

    async def close(self) -> None:
        """Releases files and connections; safe to call twice."""


@dataclass(frozen=True, slots=True)
class VectorRow:
    """``vector``: float32, L2-normalised, shape (dimension,). ``block_hash``: empty for a command.

    ``source``: names what the vector was computed from and by (at most 32 bytes), for whoever would compute it again.
    """

    agent: bytes
    memory_id: bytes
    vector: NDArray[np.float32]
    block_hash: bytes = b""
    source: bytes = b""


@dataclass(frozen=True, slots=True)
class Hit:
    """``score``: cosine, -1 to 1."""

    agent: bytes
    memory_id: bytes
    score: float


class VectorStore(Protocol):
    """Vectors by (agent, memory id). Holds a superset of the live memories: readers ask the memory store who is live."""

    @property
    def identity(self) -> bytes:
        """See ``MemoryStore.identity``."""

    async def upsert(self, rows: Sequence[VectorRow]) -> None:
        """Adds or replaces."""

    async def delete(self, keys: Sequence[tuple[bytes, bytes]]) -> None:
        """Removes (agent, memory id); one that is not there changes nothing."""

    async def search(self, agent: bytes, vector: NDArray[np.float32], limit: int) -> list[Hit]:
        """Nearest of this agent's vectors by cosine, best first. Never a vector of another agent."""

    async def get(self, agent: bytes, memory_id: bytes) -> NDArray[np.float32] | None:
        """One vector."""

    async def find(self, keys: Sequence[tuple[bytes, bytes]]) -> list[VectorRow | None]:
        """Rows by (agent, memory id), in the order asked for."""

    async def version(self, agent: bytes) -> Version | None:
        """See ``MemoryStore.version``."""

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        """See ``MemoryStore.changes``."""

    async def claim(self, lane: bytes) -> VectorStore:
        """The same store for a new owner of ``lane`` (a stream agent's partition), valid until this one is closed.

        Writes of owners who claimed the lane before raise FencedError from now on, in whatever process they wake up.
        """

    async def close(self) -> None:
        """Releases files and connections; safe to call twice."""


@runtime_checkable
class Catching(Protocol):
    """A vector store that shows others' writes a moment late, unless it is told that there were any."""

    def catch_up(self) -> None:
        """What others acknowledged before this call, every later read shows. Until the first call, every read sees to it."""


@runtime_checkable
class Clearable(Protocol):
    """A vector store that has vectors in the clear, under names that end with the agents' keys."""

    def name_of(self, agent: bytes) -> str:
        """What the agent is called there; empty if nothing can be there of it. To be asked while it has keys."""

    async def clear(self, name: str) -> str:
        """Deletes what stands under the name, and has files rewritten without it; what to say of it in a receipt."""
