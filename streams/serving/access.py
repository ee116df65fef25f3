"""Keys and grants of every agent, from the compacted topic agents.access.

Invariants: a row counts only if a trusted worker signed it, and never over a newer word about the same key or grant; an agent
whose row was taken back, as it was erased, has neither from then on; until the topic was read to its end once there is no
answer, so no gateway takes a revoked key for a valid one because it has just started.
``fresh`` reads to the end; ``held`` says what has been read, which is later than the log by the time a record takes to arrive.
Memory: about 400 bytes an agent that has said anything, 100 more for each grant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.codec import SchemaError, codec
from schemas.records import AgentAccess
from streams.agents.access import Authority, nothing_granted, vouched_for
from streams.identity.tokens import Tokens
from streams.serving.attempts import Attempts
from streams.serving.tail import TopicTail, each
from streams.settings import KafkaSettings
from streams.signing import Verifier
from streams.topics import ACCESS


@dataclass(frozen=True, slots=True)
class Doorkeeping:
    """What the routes about keys, tokens and grants work with."""

    table: AccessTable
    tokens: Tokens
    attempts: Attempts
    authority: Authority


class AccessTable(Protocol):
    """Keys and grants by agent."""

    async def held(self, agent: bytes) -> AgentAccess:
        """What has been read so far. Raises UnavailableError."""

    async def fresh(self, agent: bytes) -> AgentAccess:
        """As of everything committed before the call. Raises UnavailableError."""

    async def granting(self, grantee: bytes) -> list[AgentAccess]:
        """Of every agent that has granted anything to ``grantee``, as ``fresh``. Raises UnavailableError."""


class AccessTail:
    """An AccessTable on Kafka."""

    def __init__(self, settings: KafkaSettings, verifier: Verifier, timeout: float) -> None:
        """``timeout``: seconds that a read may wait."""
        self._fold = each(settings, ACCESS, self._read)
        self.tail = TopicTail(settings, ACCESS, self._fold)
        self._verifier = verifier
        self._timeout = timeout
        self._rows: dict[bytes, AgentAccess] = {}
        self._granting: dict[bytes, set[bytes]] = {}
        self._erased: set[bytes] = set()
        self._complete = False

    def start(self) -> None:
        """Begins to follow the topic."""
        self.tail.start()

    async def stop(self) -> None:
        """Stops following."""
        await self.tail.stop()

    async def held(self, agent: bytes) -> AgentAccess:
        if not self._complete:
            return await self.fresh(agent)
        if self.tail.failure is not None:
            raise self.tail.failure
        return self._rows.get(agent) or nothing_granted(agent)

    async def fresh(self, agent: bytes) -> AgentAccess:
        await self.tail.barrier(self._timeout)
        self._complete = True
        return self._rows.get(agent) or nothing_granted(agent)

    async def granting(self, grantee: bytes) -> list[AgentAccess]:
        await self.tail.barrier(self._timeout)
        self._complete = True
        return [self._rows[agent] for agent in sorted(self._granting.get(grantee, ()))]

    def _read(self, record: Any) -> None:
        self._take(record.key, record.value)

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        if key is not None and value is None:
            self._index(self._rows.pop(key, None), set.discard)
            self._erased.add(key)
            return
        name, row = codec().decode(value)
        if name != "AgentAccess" or row["agent"] != key:
            raise SchemaError(f"a {name} that is not this key's")
        if not vouched_for(row, self._verifier):
            raise SchemaError("keys and grants that no trusted worker signed")
        if key in self._erased:
            raise SchemaError("keys and grants of an agent that was erased")
        before, said = self._rows.get(row["agent"]), _times(row)
        if before is not None and any(said.get(about, -1) < since for about, since in _times(before).items()):
            raise SchemaError("an older word about an agent's key or grants")
        self._rows[row["agent"]] = row
        self._index(row, set.add)  # no grant is ever left out again, so none has to be taken out

    def _index(self, row: AgentAccess | None, change: Callable[[set[bytes], bytes], None]) -> None:
        if row is None:
            return
        for grant in row["grants"]:
            change(self._granting.setdefault(grant["grantee"], set()), row["agent"])


def _times(row: AgentAccess) -> dict[tuple[bytes, str] | None, int]:
    """When something was last said of the key (None) and of each grant, none of which is ever left out again."""
    return {None: row["since"] or 0, **{(grant["grantee"], grant["namespace"]): grant["since"] for grant in row["grants"]}}
