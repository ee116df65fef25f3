"""A failure that goes on, in the log of a process: said when it begins, when it becomes another one, now and then, and when it
is over. Trying again is not news.

Assumes that ``failed`` is called at each failure in a row, and ``over`` once something worked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

REMIND_SECONDS = 300.0


class Outage:
    """Of one thing that is tried again until it works. ``what`` names it in each line; empty where the failures do."""

    def __init__(self, log: logging.Logger, what: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._what = f"{what}: " if what else ""
        self._clock = clock
        self._said = ""
        self._began = self._told = 0.0

    def failed(self, said: str) -> None:
        """It failed, once more."""
        now = self._clock()
        if not self._said:
            self._began = now
        elif said == self._said and now - self._told < REMIND_SECONDS:
            return
        since = f", for {now - self._began:.0f} s now" if said == self._said else ""
        self._log.warning("%s%s; trying until it works%s", self._what, said, since)
        self._said, self._told = said, now

    def over(self) -> None:
        """It works."""
        if self._said:
            self._log.warning("%sworks again, after %.0f s", self._what, self._clock() - self._began)
            self._said = ""
