"""Versions and changes of a store in plain dictionaries: what ``ChangeIndex`` does, read as simply as possible."""

from __future__ import annotations

from collections.abc import Iterable

from streams.core.presence import Presence
from streams.core.validity import turns_of
from streams.ports.stores import Changes, Footing, StoredMemory, Version


def blocks_of(presences: Iterable[Presence], since: int) -> list[tuple[int, bytes]]:
    """The blocks that facts name, from a number on."""
    facts = {fact for presence in presences for fact in (*presence.upserts, *presence.deletes)}
    return sorted({(fact.block_number, fact.block_hash) for fact in facts if fact.block_hash and fact.block_number >= since})


def footing_of(version: Version, rows: Iterable[StoredMemory], since: int, now: int) -> Footing:
    """What the rows stand on."""
    rows = list(rows)
    memories = [row.memory for row in rows if row.memory is not None]
    turns = [turn for memory in memories for turn in turns_of(memory) if turn > now]
    if any(memory["timestamp"] > now for memory in memories):
        turns = [now + 1]
    return Footing(version, blocks_of((row.presence for row in rows), since), min(turns, default=None))


class Versions:
    """``note`` each change. Every removal starts a new epoch."""

    def __init__(self) -> None:
        self._clock = self._emptied = 0
        self._agents: dict[bytes, tuple[int, dict[bytes, int]]] = {}

    def note(self, agent: bytes, memory_id: bytes, there: bool) -> None:
        self._clock += 1
        epoch, ids = self._agents.pop(agent, (self._clock, {}))
        if there:
            ids.pop(memory_id, None)
            ids[memory_id] = self._clock
        elif ids.pop(memory_id, None) is not None:
            epoch = self._clock
        if ids:
            self._agents[agent] = (epoch, ids)
        else:
            self._emptied = self._clock

    def of(self, agent: bytes) -> Version:
        if agent not in self._agents:
            return Version(self._emptied, 0)
        epoch, ids = self._agents[agent]
        return Version(epoch, max([epoch, *ids.values()]))

    def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes:
        now = self.of(agent)
        start_over = since is None or since.epoch != now.epoch
        after = 0 if since is None or start_over else since.sequence
        changed = [(sequence, i) for i, sequence in self._agents.get(agent, (0, {}))[1].items() if sequence > after]
        page = sorted(changed)[:limit]
        more = len(changed) > limit
        return Changes(Version(now.epoch, page[-1][0]) if more else now, [i for _, i in page], start_over, more)
