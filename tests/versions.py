"""Versions and changes of a store in plain dictionaries: what ``ChangeIndex`` does, read as simply as possible."""

from __future__ import annotations

from streams.ports.stores import Changes, Version


class Versions:
    """``note`` each change. Every removal starts a new epoch."""

    def __init__(self) -> None:
        self._clock = 0
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

    def of(self, agent: bytes) -> Version:
        epoch, ids = self._agents.get(agent, (0, {}))
        return Version(epoch, max([epoch, *ids.values()]))

    def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes:
        now = self.of(agent)
        start_over = since is None or since.epoch != now.epoch
        after = 0 if since is None or start_over else since.sequence
        changed = [(sequence, i) for i, sequence in self._agents.get(agent, (0, {}))[1].items() if sequence > after]
        page = sorted(changed)[:limit]
        more = len(changed) > limit
        return Changes(Version(now.epoch, page[-1][0]) if more else now, [i for _, i in page], start_over, more)
