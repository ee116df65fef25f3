"""Up to which moment of the server a read must see.

A Milvus server shows a write to readers a moment after it acknowledged it (up to its time tick, 200 ms unless set otherwise),
and a read may say for which moment it waits. To wait for the present each time costs that long each time. So a read waits for
the newest moment that matters only: after a write of one's own, or when one was told that others wrote (``catch_up``). Who is
never told waits for the present each time.
Moments are the server's own timestamps, so no two clocks are compared. pymilvus keeps such a moment too ("Session"), but not of
deletes, nor of others' writes, nor of writes through an alias.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

MOST_KEYS = 4_096


class Horizon:
    """``present``: asks the server for the present moment. Safe for threads."""

    def __init__(self, present: Callable[[], int], *, told: bool = False) -> None:
        self._present = present
        self._told = told
        self._lock = threading.Lock()
        self._moment = 0
        self._asking = 0
        self._behind = True
        self._own: set[str] | None = set()

    def wrote(self, keys: Iterable[str]) -> None:
        """These rows were written by whoever reads here."""
        with self._lock:
            if self._own is not None:
                self._own.update(keys)
                if len(self._own) > MOST_KEYS:
                    self._own = None  # any of them

    def catch_up(self) -> bool:
        """What others had written by now must be seen from now on, no more until the next call. Whether that is news."""
        with self._lock:
            news = not (self._told and self._behind)
            self._told = self._behind = True
            return news

    def moment(self, keys: Iterable[str] | None = None) -> int:
        """For which moment a read of these rows (None: any) waits. Asks the server if need be."""
        with self._lock:
            if self._told and not self._behind and not self._asking and not self._touched(keys):
                return self._moment
            self._own, self._behind = set(), False
            self._asking += 1  # until there is an answer, who else reads asks too; nobody waits for the lock meanwhile
        try:
            present = self._present()
        except BaseException:
            with self._lock:
                self._own, self._behind = None, True
                self._asking -= 1
            raise
        with self._lock:
            self._moment = max(self._moment, present)
            self._asking -= 1
            return self._moment

    def _touched(self, keys: Iterable[str] | None) -> bool:
        if self._own is None or keys is None:
            return self._own is None or bool(self._own)
        return not self._own.isdisjoint(keys)
