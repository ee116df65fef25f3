"""What an UNDO takes back, found by reading the log backwards from it.

Assumes entries of one partition, newest first, without gaps, beginning right before the UNDO marker. Invariant: only the live
occurrence of a removed block counts. A block that was undone and came back lies in the log several times; each UNDO in between
kills one earlier occurrence of what it removed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from streams.core.block import BlockRef, Step
from streams.core.marker import Marker
from streams.errors import LogIntegrityError
from streams.serving.feed.entries import Entry, FactEntry


class Lookback:
    """Feed it with ``take`` until it is ``done`` or the log begins. ``facts``: what the removed blocks held, newest first."""

    def __init__(self, removed: Sequence[BlockRef]) -> None:
        """``removed``: newest first."""
        self.facts: list[FactEntry] = []
        self.done = not removed
        self._wanted = deque(removed)
        self._dead = Counter[bytes]()
        self._inside: bytes | None = None

    def take(self, entry: Entry) -> None:
        """The next older entry. Raises LogIntegrityError if the log does not fit the UNDO."""
        if self.done:
            return
        body = entry.body
        if isinstance(body, Marker):
            self._inside = None
            self._pass(body, entry.offset)
        elif isinstance(body, FactEntry) and body.block is not None and body.block.hash == self._inside:
            self.facts.append(body)

    def _pass(self, marker: Marker, offset: int) -> None:
        if not self._wanted:
            self.done = True
        elif marker.step is Step.UNDO:
            self._dead.update(ref.hash for ref in marker.removed)
        elif marker.step is Step.NEW and self._dead[marker.block.hash] > 0:
            self._dead[marker.block.hash] -= 1
        elif marker.step is Step.NEW:
            if marker.block.hash != self._wanted[0].hash:
                raise LogIntegrityError(
                    f"{marker.topic}/{marker.partition}, offset {offset}: block {marker.block} stands where an UNDO removes "
                    f"{self._wanted[0]}",
                    "The log was cut or altered, or two producers wrote to it.",
                )
            self._inside = self._wanted.popleft().hash
