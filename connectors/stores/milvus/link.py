"""A connection that is made when it can be: a server may be away when a process starts.

Assumes that callers are threads, which may wait. Invariants: there is one attempt at a time, whose outcome all who wait for it
share; a connection that was made stays.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future


class Link:
    """``make`` connects, or raises."""

    def __init__(self, make: Callable[[], None]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._attempt: Future[None] | None = None
        self.made = False

    def need(self) -> None:
        """Returns when the connection is there. Raises what the attempt raised."""
        if self.made:
            return
        with self._lock:
            attempt, own = self._attempt, self._attempt is None
            if attempt is None:
                attempt = self._attempt = Future()
        if own:
            self._try(attempt)
        attempt.result()

    def _try(self, attempt: Future[None]) -> None:
        try:
            if not self.made:  # by an attempt that ended meanwhile
                self._make()
            self.made = True
        except BaseException as error:
            self._ended()
            attempt.set_exception(error)
            return
        self._ended()
        attempt.set_result(None)

    def _ended(self) -> None:
        with self._lock:
            self._attempt = None
