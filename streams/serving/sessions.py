"""Sessions of every agent, from the compacted topic memory.sessions, and the close of those that have expired.

Invariants: a record counts only if a trusted worker signed it; what is in a session is seen by its owner and collaborators, and
by them only where they ask for that session; an expired session is closed by a command in the log, under an id that all
gateways agree on, so that it ends once, and what it holds is kept or dropped as it says of itself. A close that does not count,
since workers do not trust this gateway's key or its clock is ahead, is said less and less often: the log keeps each.
Memory: about 300 bytes a session; of an agent's ended ones the log keeps the last 64.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from schemas.codec import SchemaError, codec
from schemas.records import Session
from streams.agents.expiry import expiry_of
from streams.agents.sessions import vouched_for
from streams.core.session import OPEN, is_over
from streams.errors import MonmouthError
from streams.serving.commands import CommandLog
from streams.serving.tail import TopicTail, each
from streams.settings import KafkaSettings
from streams.signing import Verifier
from streams.topics import SESSIONS

log = logging.getLogger(__name__)
AGENT = 20
CLOSE_EVERY = 5.0
LONGEST_PAUSE = 600.0
"""Seconds between two closes of one session at most; they begin at CLOSE_EVERY and double."""


class SessionTable(Protocol):
    """Sessions by agent."""

    async def fresh(self, agent: bytes) -> dict[bytes, Session]:
        """By id, as of everything committed before the call. Raises UnavailableError."""


class SessionTail:
    """A SessionTable on Kafka."""

    def __init__(self, settings: KafkaSettings, verifier: Verifier, timeout: float) -> None:
        """``timeout``: seconds that ``fresh`` may wait."""
        self._fold = each(settings, SESSIONS, self._read)
        self.tail = TopicTail(settings, SESSIONS, self._fold)
        self._verifier = verifier
        self._timeout = timeout
        self._rows: dict[bytes, dict[bytes, Session]] = {}

    def start(self) -> None:
        """Begins to follow the topic."""
        self.tail.start()

    async def stop(self) -> None:
        """Stops following."""
        await self.tail.stop()

    async def fresh(self, agent: bytes) -> dict[bytes, Session]:
        await self.tail.barrier(self._timeout)
        return dict(self._rows.get(agent, {}))

    def expired(self, now: float) -> Iterator[Session]:
        """Open sessions whose time is over."""
        for sessions in self._rows.values():
            yield from (found for found in sessions.values() if found["state"] == OPEN and is_over(dict(found), int(now)))

    def _read(self, record: Any) -> None:
        self._take(record.key or b"", record.value)

    def _take(self, key: bytes, value: bytes | None) -> None:
        agent, session_id = key[:AGENT], key[AGENT:]
        if value is None:
            self._rows.get(agent, {}).pop(session_id, None)
            return
        name, row = codec().decode(value)
        if name != "Session" or row["agent"] + row["id"] != key:
            raise SchemaError(f"a {name} that is not this key's")
        if not vouched_for(row, self._verifier):
            raise SchemaError("a session that no trusted worker signed")
        self._rows.setdefault(agent, {})[session_id] = row


class Closer:
    """Closes sessions when their time is over."""

    def __init__(self, sessions: SessionTail, commands: CommandLog, clock: Callable[[], float] = time.time) -> None:
        self._sessions = sessions
        self._commands = commands
        self._clock = clock
        self._said: dict[tuple[bytes, bytes, int], tuple[float, float]] = {}
        """By agent, session and the time it ends: when to say it again, and how long to wait after that."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(CLOSE_EVERY)

    async def sweep(self) -> int:
        """Closes what has expired; how many closes were written. One that could not be written is tried again next time."""
        closed, now = 0, self._clock()
        due = {(found["agent"], found["id"], found["expires"]): found for found in self._sessions.expired(now)}
        self._said = {place: said for place, said in self._said.items() if place in due}
        for place, session in due.items():
            again, pause = self._said.get(place, (now, CLOSE_EVERY))
            if now < again:
                continue
            try:
                await self._commands.send(expiry_of(session))
                closed += 1
                self._said[place] = now + pause, min(2 * pause, LONGEST_PAUSE)
            except MonmouthError as error:
                log.warning("a session that is over its time stays open for now: %s", error)
        return closed
