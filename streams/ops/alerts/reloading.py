"""A watch by the log that takes its rules file up whenever that changes.

Each change makes a watch anew, which goes on from ops.alerts where the former one ended, and with what that one knew.
Invariants: two never watch at once; a file that is wrong, or gone, is said once and changes nothing; what a watch ends with,
this ends with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from streams.errors import ConfigurationError
from streams.ops.alerts.life import Event

_log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0


class Watching(Protocol):
    """A watch: ``told`` is called for each event that it decided; ``complaint``: why it does not watch now."""

    told: Callable[[Event], None]

    @property
    def complaint(self) -> str: ...

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``."""


W = TypeVar("W", bound=Watching)


class Reloading(Generic[W]):
    """``make``: of what the files hold now, with the watch before it; raises ConfigurationError. ``file``: None where the
    rules are in no file.

    It may come into being later: it is taken up then.
    """

    def __init__(self, make: Callable[[W | None], W], file: Path | None, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._make = make
        self._file = file
        self._look_seconds = look_seconds
        self._stamp = self._found()
        self._watch = make(None)
        self.told: Callable[[Event], None] = lambda _: None

    @property
    def complaint(self) -> str:
        return self._watch.complaint

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``. Raises what a watch raises."""
        fresh: W | None = self._watch
        while fresh is not None:
            self._watch = fresh
            fresh = await self._session(stop)

    async def _session(self, stop: asyncio.Event) -> W | None:
        """Has a watch work until there is a newer one; None: it is all over."""
        self._watch.told = self.told
        ending = asyncio.Event()
        working = asyncio.create_task(self._watch.run(ending))
        stopping = asyncio.create_task(stop.wait())
        fresh = None
        try:
            while fresh is None and not (working.done() or stop.is_set()):
                await asyncio.wait([working, stopping], timeout=self._look_seconds, return_when=asyncio.FIRST_COMPLETED)
                fresh = self._changed()
        finally:
            stopping.cancel()
            ending.set()
            await working
        return None if stop.is_set() else fresh

    def _changed(self) -> W | None:
        found = self._found()
        if found == self._stamp:
            return None
        self._stamp = found
        if found is None:  # as for a moment while an editor puts a new one in its place
            _log.warning("the rules that were known stay: %s is not there", self._file)
            return None
        try:
            fresh = self._make(self._watch)
        except ConfigurationError as error:
            _log.warning("the rules that were known stay: %s", error.line)
            return None
        _log.info("%s has changed and is taken up", self._file)
        return fresh

    def _found(self) -> object:
        try:
            found = None if self._file is None else self._file.stat()
        except OSError:
            return None
        return found and (found.st_mtime_ns, found.st_ino, found.st_size)
