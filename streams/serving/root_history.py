"""The roots an agent had, as far as this process has seen them.

memory.roots keeps the newest root of each agent; older ones leave it by compaction. What was read is kept here, in bounds: so
from the moment the gateway had caught up the history has no gap (``live``), and before that only what compaction had left.
Invariant: at most HISTORY roots of an agent and IN_ALL of all agents, none that only was in force more than RETENTION blocks
below the agent's newest; where there are too many, the oldest of the agent that changed least recently leaves.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")
HISTORY = 1_000
IN_ALL = 10_000
RETENTION = 100_000
"""Blocks below an agent's newest root after which its older ones are forgotten."""


@dataclass(frozen=True, slots=True)
class Seen(Generic[R]):
    """A root; None where the agent had none any more. ``live``: nothing between it and the one before was missed.

    ``height``: of its block, if it has one.
    """

    root: R | None
    live: bool
    height: int | None = None


class RootHistory(Generic[R]):
    """Roots by agent, oldest first."""

    def __init__(self, history: int = HISTORY, in_all: int = IN_ALL) -> None:
        self._history = history
        self._in_all = in_all
        self._size = 0
        self._seen: OrderedDict[bytes, list[Seen[R]]] = OrderedDict()

    def __len__(self) -> int:
        return self._size

    def add(self, agent: bytes, root: R | None, live: bool, height: int | None = None) -> None:
        """The agent's next root, of a block at ``height``."""
        seen = self._seen.setdefault(agent, [])
        self._seen.move_to_end(agent)
        seen.append(Seen(root, live, height))
        self._size += 1
        if height is not None:
            self._retire(seen, height - RETENTION)
        if len(seen) > self._history:
            self._leave(agent)
        if self._size > self._in_all:
            self._leave(next(iter(self._seen)))

    def of(self, agent: bytes) -> list[Seen[R]]:
        """What is known of one agent, oldest first."""
        return list(self._seen.get(agent, ()))

    def _retire(self, seen: list[Seen[R]], line: int) -> None:
        """Forgets what was in force before ``line`` only: the last root from below it still was there."""
        while len(seen) > 1 and (after := seen[1].height) is not None and after <= line:
            seen.pop(0)
            self._size -= 1

    def _leave(self, agent: bytes) -> None:
        seen = self._seen[agent]
        seen.pop(0)
        self._size -= 1
        if not seen:
            del self._seen[agent]
