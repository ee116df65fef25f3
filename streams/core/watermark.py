"""Own watermark of one topic partition: proof that a commit leaves nothing behind.

It counts on its own, apart from the code that decides what to commit: every offset received, every record settled (folded in,
or sent to the dead letters), in log order.
Invariant: a position is committed only if every record received in front of it was settled, and none behind it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from operator import lt


class WatermarkError(AssertionError):
    """A commit would pass unprocessed work, or claim work that was not received. A defect of the reader."""


class Watermark:
    """``position``: next offset that a reader would have to read again."""

    def __init__(self, position: int) -> None:
        self.position = position
        self._received: list[int] = []
        self._settled = 0

    def received(self, offsets: Sequence[int]) -> None:
        """Notes records taken from the log; offsets must grow. Raises WatermarkError."""
        last = self._received[-1] if self._received else self.position - 1
        if not all(map(lt, (last, *offsets), offsets)):
            before, after = next((a, b) for a, b in pairwise((last, *offsets)) if a >= b)
            raise WatermarkError(f"offset {after} was received after {before}")
        self._received += offsets

    def settled(self, count: int) -> None:
        """Notes that the ``count`` oldest unsettled records are done with."""
        self._settled += count
        if self._settled > len(self._received):
            raise WatermarkError(f"{self._settled} records settled of {len(self._received)} received")

    @property
    def pending(self) -> int:
        """Records received and not settled."""
        return len(self._received) - self._settled

    def commit(self, position: int) -> None:
        """Moves to ``position``. Raises WatermarkError if that passes unprocessed work, goes back, or lags settled work."""
        before = bisect_left(self._received, position)
        if position < self.position or before != self._settled:
            raise WatermarkError(
                f"commit of {position} (from {self.position}) covers {before} records, but {self._settled} were settled"
            )
        self.position = position
        del self._received[:before]
        self._settled = 0
