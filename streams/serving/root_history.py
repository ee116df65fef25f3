"""The roots an agent had, as far as this process has seen them, or one before it that left a file (``kept_roots``).

memory.roots keeps the newest root of each agent; older ones leave it by compaction. What was read is kept here, in bounds: so
from the moment the gateway had caught up the history has no gap (``live``), and before that only what compaction had left.
Invariant: within ``Bounds``, none that only was in force more than ``retention`` blocks below the agent's newest; where there
are too many, the oldest of the agent that changed least recently leaves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Bounds:
    """``history``: roots of an agent; ``in_all``: of all agents. ``retention``: blocks below an agent's newest root after which
    its older ones are forgotten.
    """

    history: int = 1_000
    in_all: int = 10_000
    retention: int = 100_000


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

    def __init__(self, bounds: Bounds = Bounds()) -> None:
        self._bounds = bounds
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
            self._retire(seen, height - self._bounds.retention)
        if len(seen) > self._bounds.history:
            self._leave(agent)
        if self._size > self._bounds.in_all:
            self._leave(next(iter(self._seen)))

    def of(self, agent: bytes) -> list[Seen[R]]:
        """What is known of one agent, oldest first."""
        return list(self._seen.get(agent, ()))

    def agents(self) -> Iterator[tuple[bytes, list[Seen[R]]]]:
        """All that is known, the agent that changed least recently first."""
        return ((agent, list(seen)) for agent, seen in self._seen.items())

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
