"""Where each agent's slots lie in the file of keys: packed, since nearly every agent has one and is seldom asked for."""

from __future__ import annotations

from streams.core.packed import PackedTable

AGENT = 20
_OFFSET = 5


class Offsets:
    """Offsets by agent, in the order in which they were added."""

    def __init__(self) -> None:
        self._first = PackedTable(AGENT, _OFFSET)
        self._more: dict[bytes, list[int]] = {}

    def __contains__(self, agent: bytes) -> bool:
        return agent in self._first

    def __len__(self) -> int:
        """Offsets of all agents."""
        return len(self._first) + sum(map(len, self._more.values()))

    def of(self, agent: bytes) -> list[int]:
        """The agent's; none if it has no slot."""
        first = self._first.get(agent)
        return [] if first is None else [int.from_bytes(first, "big"), *self._more.get(agent, ())]

    def add(self, agent: bytes, offset: int) -> None:
        """One more."""
        if agent in self._first:
            self._more.setdefault(agent, []).append(offset)
        else:
            self._first.set(agent, offset.to_bytes(_OFFSET, "big"))
