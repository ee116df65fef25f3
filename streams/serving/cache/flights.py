"""Answers being computed, by question, so that equal questions at once are computed once. Pure but for the waiting.

Whoever computes leads; whoever asks the same meanwhile waits until that ended, however it ended, and then looks for itself: the
answer of a leader that began earlier may be older than the question. So a leader that is cancelled or fails costs the others
time and nothing else: one of them leads next.
Invariant: a flight is there exactly while its leader computes; there are no more than questions under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class Flights:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._landed: dict[Hashable, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self._landed)

    def __contains__(self, question: Hashable) -> bool:
        return question in self._landed

    async def landing(self, question: Hashable) -> None:
        """Returns when the flight that is there now has ended."""
        await self._landed[question].wait()

    @contextmanager
    def led(self, question: Hashable) -> Iterator[None]:
        """Within, others wait. Where somebody leads already, this one computes beside it."""
        if question in self._landed:
            yield
            return
        landed = self._landed[question] = asyncio.Event()
        try:
            yield
        finally:
            del self._landed[question]
            landed.set()
