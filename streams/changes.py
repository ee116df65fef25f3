"""Whether a file is another one than before: written anew, replaced, or gone.

Assumes that what is looked at lives on this machine, and that whoever writes it replaces it whole. Invariant: the file system
is asked at most once in a span, however often the question is put.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

LOOK_SECONDS = 0.25


class Changes:
    """Of one file. At first it counts as absent."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._looked = float("-inf")
        self._stamp: object = None

    def any(self) -> bool:
        """Whether there is one since this last said so."""
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        before, self._stamp = self._stamp, self._found()
        return self._stamp != before

    def _found(self) -> object:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino
