"""Keeps a failure where it is: what this process has found not to answer is not asked by it for a while.

Invariant: breakers are opened when a component falls, not for as long as it is down: after the time a breaker itself lets trial
calls through, of which the next look is one, so that what came back is found to be back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from streams.ops.health.finding import Finding

_log = logging.getLogger(__name__)

OpenOn = Callable[[str, float, str], list[str]]
"""Opens the breakers of calls to a component for so many seconds, with a reason; gives their names."""


class Cascade:
    """Told of every finding of components."""

    def __init__(self, open_on: OpenOn, seconds: float) -> None:
        self._open_on = open_on
        self._seconds = seconds
        self._down: set[str] = set()

    def told(self, name: str, found: Finding) -> None:
        """Opens the breakers of calls to ``name`` if it has just failed to answer."""
        if found.status != "failed" or not found.down:
            self._down.discard(name)
        elif name not in self._down:
            self._down.add(name)
            if opened := self._open_on(name, self._seconds, f"{name} does not answer: {found.detail}"):
                _log.warning("not asked for %g s, since %s does not answer: %s", self._seconds, name, ", ".join(opened))
