"""A short history of one number: its last 720 seconds, and its last 720 minutes. Pure.

Invariant: there are at most ``KEPT`` points of either kind, oldest first, one for every second (minute) between the first and
the last; one without a value is None, never a number that stands for it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

KEPT = 720
MINUTE = 60

Value = float | None


@dataclass(frozen=True, slots=True)
class Points:
    """``start``: unix seconds of the first value; ``step``: seconds between two."""

    start: int
    step: int
    values: tuple[Value, ...]


class History:
    """Filled in the order of time."""

    def __init__(self, kept: int = KEPT) -> None:
        self._seconds: deque[Value] = deque(maxlen=kept)
        self._minutes: deque[Value] = deque(maxlen=kept)
        self._last: int | None = None
        self._minute: list[float] = []

    def add(self, second: int, value: Value) -> None:
        """The value of a second. One not later than the last is passed over; what was skipped has no value."""
        last = self._last
        if last is not None and second <= last:
            return
        first = second if last is None else max(last + 1, second - (self._seconds.maxlen or KEPT) * MINUTE)
        if last is not None and first > last + 1:  # so long a silence leaves nothing of what was before it
            self._minute.clear()
            self._minutes.clear()
        for at in range(first, second):
            self._put(at, None)
        self._put(second, value)

    def seconds(self) -> Points:
        """Second by second."""
        return self._points(self._last, 1, self._seconds)

    def minutes(self) -> Points:
        """Means of whole minutes."""
        return self._points(None if self._last is None else (self._last + 1) // MINUTE - 1, MINUTE, self._minutes)

    @property
    def newest(self) -> Value:
        """Of the last second."""
        return self._seconds[-1] if self._seconds else None

    def _put(self, second: int, value: Value) -> None:
        self._last = second
        self._seconds.append(value)
        if value is not None:
            self._minute.append(value)
        if (second + 1) % MINUTE == 0:
            self._minutes.append(sum(self._minute) / len(self._minute) if self._minute else None)
            self._minute.clear()

    @staticmethod
    def _points(last: int | None, step: int, values: deque[Value]) -> Points:
        if last is None or not values:
            return Points(0, step, ())
        return Points((last - len(values) + 1) * step, step, tuple(values))
