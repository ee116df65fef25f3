"""Who may write, and in which order what is written counts.

A stamp is the time that a write names to Cassandra, of two of which for one cell the later wins, whenever they arrive. It is
made of a token, which grows with every claim of any lane (drawn by a lightweight transaction), and of a count of the owner's
changes. So with write timestamps alone:
  * of one owner the later write wins, in the order of the log, which is the order it was told to apply and revert in;
  * a newer owner's write wins over any of an older one, wherever that wakes up. It starts at what was committed, which is no
    later than anything the older one had not finished, so it writes again, or takes back, every fact that the older one was at;
    the last word on a fact is that of the later place in the log.
What the newer owner finds there of an older one's may be half of something: the older one may have died between a row and
the version that announces it. So it is written again, and announced, when it is applied again, unless the older one had noted
that it was through (``done``). So is what this owner wrote if a write failed since: nobody knows how much of it is there.
Beside that an owner looks before each write whether it still is one, so that it is told.
"""

from __future__ import annotations

import asyncio
import random

from connectors.stores.cassandra.connection import Connection
from streams.errors import FencedError, StoreError

COUNT_BITS = 40
ATTEMPTS = 200
LONGEST_PAUSE = 0.1
OWNERS = 1_000
"""Of a lane that are remembered; what older ones wrote is written again when it is applied again."""


async def draw_token(connection: Connection) -> int:
    """A token higher than any before. Raises StoreError."""
    for attempt in range(ATTEMPTS):
        last = int((await connection.read("token"))[0][0])
        if (await connection.write("draw_token", last + 1, last))[0][0]:
            return last + 1
        await asyncio.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.002 * 2**attempt)))
    raise StoreError("no turn to claim a lane of Cassandra: too many others do", "Start fewer workers at once.")


class Writer:
    """The writing end of a handle: owner of ``lane``, or of none, which then no other can fence. Hold ``lock`` to write."""

    def __init__(self, connection: Connection, lane: bytes | None = None) -> None:
        self.lane = lane
        self.lock = asyncio.Lock()
        self._connection = connection
        self._token: int | None = None
        self._next = self._floor = 0
        self._done = self._noted = -1
        self._older: dict[int, int] = {}

    async def claim(self) -> None:
        """Takes the lane over."""
        self._token = token = await draw_token(self._connection)
        self._floor = self._next = token << COUNT_BITS
        if self.lane is not None:
            await self._connection.write("take_lane", self.lane, token, token << COUNT_BITS)
            owners = await self._connection.read("owners", self.lane, OWNERS)
            self._older = {owner: done for owner, done in owners if done is not None}
            if len(owners) == OWNERS:
                await self._connection.write("forget_owners", token << COUNT_BITS, self.lane, owners[-1][0])

    def outrun(self) -> None:
        """Somebody claimed a lane since: what is written from here on must be later."""
        self._token = None

    async def check(self) -> None:
        """Raises FencedError if the lane was claimed again since."""
        if self._token is None:
            await self.claim()
        if self.lane is None:
            return
        done = self._done
        if done > self._noted:
            await self._connection.write("put_done", done, done, self.lane, self._token)
            self._noted = done
        found = await self._connection.read("owner", self.lane)
        if not found or found[0][0] != self._token:
            raise FencedError(
                f"lane {self.lane.decode(errors='replace')} of a store has a newer owner",
                "Another worker took this partition over.",
            )

    def reserve(self, count: int) -> int:
        """The first of so many stamps."""
        first = self._next
        self._next += count
        if self._token is None or self._next > (self._token + 1) << COUNT_BITS:
            raise StoreError("an owner of a lane of Cassandra has made all changes it can", "It is claimed anew.")
        return first

    def settled(self, stamp: int) -> bool:
        """Whether what was written at it is known to be whole, and announced."""
        return stamp >= self._floor or stamp <= self._older.get(stamp >> COUNT_BITS, -1)

    def complete(self) -> None:
        """All that was written until now is there."""
        if self._floor == (self._token or 0) << COUNT_BITS:
            self._done = self._next - 1

    def doubt(self) -> None:
        """A write failed: nothing that was written until now is taken to be there."""
        self._floor = self._next
