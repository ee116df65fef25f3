"""Who may write, and in which order what is written counts.

A stamp is the time that a write names to Cassandra, of two of which for one cell the later wins, whenever they arrive. It is
made of a token, which grows with every claim of any lane (drawn by a lightweight transaction), and of a count of the owner's
changes. So with write timestamps alone:
  * of one owner the later write wins, in the order of the log, which is the order it was told to apply and revert in;
  * a newer owner's write wins over any of an older one, wherever that wakes up. It starts at what was committed, which is no
    later than anything the older one had not finished, so it writes again, or takes back, every fact that the older one was at;
    the last word on a fact is that of the later place in the log.
What the newer owner finds there of an older one's (below ``floor``) is written anew when it is applied again: the older one may
have died between a row and the version that announces it, or may still be taking it back. So is what this owner wrote if a
write failed since: nobody knows how much of it is there.
Beside that an owner looks before each write whether it still is one, so that it is told.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from connectors.stores.cassandra.connection import Connection
from streams.errors import FencedError, StoreError

COUNT_BITS = 40
ATTEMPTS = 200
LONGEST_PAUSE = 0.1


async def draw_token(connection: Connection) -> int:
    """A token higher than any before. Raises StoreError."""
    for attempt in range(ATTEMPTS):
        last = int((await connection.read("token"))[0][0])
        if (await connection.write("draw_token", last + 1, last))[0][0]:
            return last + 1
        await asyncio.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.002 * 2**attempt)))
    raise StoreError("no turn to claim a lane of Cassandra: too many others do", "Start fewer workers at once.")


@dataclass(eq=False)
class Writer:
    """The writing end of a handle: owner of ``lane``, or of none, which then no other can fence. One write at a time."""

    connection: Connection
    lane: bytes | None = None
    token: int | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    floor: int = 0
    _next: int = 0

    async def claim(self) -> None:
        """Takes the lane over."""
        self.token = await draw_token(self.connection)
        self.floor = self._next = self.token << COUNT_BITS
        if self.lane is not None:
            await self.connection.write("take_lane", self.token, self.token, self.lane)

    async def check(self) -> None:
        """Raises FencedError if the lane was claimed again since."""
        if self.token is None:
            await self.claim()
        if self.lane is None:
            return
        found = await self.connection.read("lane", self.lane)
        if not found or found[0][0] != self.token:
            raise FencedError(
                f"lane {self.lane.decode(errors='replace')} of a store has a newer owner",
                "Another worker took this partition over.",
            )

    def reserve(self, count: int) -> int:
        """The first of so many stamps."""
        first = self._next
        self._next += count
        assert self.token is not None
        if self._next > (self.token + 1) << COUNT_BITS:
            raise StoreError("an owner of a lane of Cassandra has made all changes it can", "It is claimed anew.")
        return first

    def doubt(self) -> None:
        """A write failed: nothing that was written until now is taken to be there."""
        self.floor = self._next
