"""The vector store of a gateway that can go on without it.

While the switch ``vectors`` is on, no memory has a vector for the rankings, so those they do not hold yet are found by the
words and numbers they share with a question. Invariant: what was read meanwhile is read anew when the switch goes off, so
answers are again what they would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Gauge

from streams.metrics import REGISTRY
from streams.ports.stores import Changes, Hit, VectorRow, VectorStore, Version
from streams.switches import VECTORS, Switches

ANSWERS = Gauge(
    "monmouth_degraded_answers",
    "1 where a part that this process does without on purpose answers again.",
    ["part"],
    registry=REGISTRY,
)
DEGRADED = Gauge("monmouth_degraded", "1 while this process does without a part on purpose.", ["part"], registry=REGISTRY)


class DegradableVectors:
    """Reads of a VectorStore. ``changed`` is called when the switch goes on or off."""

    def __init__(self, store: VectorStore, switches: Switches, changed: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._switches = switches
        self._off = False
        self.changed = changed
        DEGRADED.labels(VECTORS).set(0)
        ANSWERS.labels(VECTORS).set(0)

    @property
    def whole(self) -> VectorStore:
        """The store itself, to be asked whether it is back."""
        return self._store

    def answered(self, answers: bool) -> None:
        """Whether the store, without which this does, answers again."""
        ANSWERS.labels(VECTORS).set(answers)

    @property
    def off(self) -> str:
        """Why it does without the store; empty if it does not."""
        switch = self._switches.on(VECTORS)
        if (switch is not None) != self._off:
            self._off = switch is not None
            DEGRADED.labels(VECTORS).set(self._off)
            self.answered(False)
            self.changed()
        return "" if switch is None else switch.why or "switched off"

    async def search(self, agent: bytes, vector: NDArray[np.float32], limit: int) -> list[Hit]:
        return [] if self.off else await self._store.search(agent, vector, limit)

    async def find(self, keys: Sequence[tuple[bytes, bytes]]) -> list[VectorRow | None]:
        return [None] * len(keys) if self.off else await self._store.find(keys)

    async def version(self, agent: bytes) -> Version | None:
        return None if self.off else await self._store.version(agent)

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        return None if self.off else await self._store.changes(agent, since, limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
