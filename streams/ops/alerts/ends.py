"""Which alerts are over already as ops.alerts says, so that an end is told once. Pure.

Assumes records in the order of the log. Invariant: no more than ``MOST_ALERTS`` are remembered; of one that is forgotten an end
may be told again.
"""

from __future__ import annotations

from streams.ops.alerts.life import MOST_ALERTS


class Ends:
    """What one reader has seen."""

    def __init__(self) -> None:
        self._over: dict[bytes, bool] = {}

    def again(self, key: bytes, state: str, before: str | None) -> bool:
        """Takes a record in; whether it says again that an alert is over. ``before``: its state, if this reader saw none."""
        over = self._over.pop(key, before == "resolved")
        self._over[key] = state == "resolved"
        if len(self._over) > MOST_ALERTS:
            del self._over[next(iter(self._over))]
        return over and state == "resolved"
