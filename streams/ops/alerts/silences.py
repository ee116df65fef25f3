"""Silences: alerts that nobody is to be told of for a while, as when somebody works on what they are about.

A file of the state folder that is replaced whole; watches of that folder look at it a few times a second. Assumes one editor at
a time. Invariants: a silence ends by itself, at a time of day; a file that cannot be read changes nothing, so what was silent
stays so until its end and nothing else becomes so; no more than ``MOST`` are kept.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from streams.changes import Changes
from streams.errors import ConfigurationError
from streams.ops.alerts.rules import ALL
from streams.ops.alerts.series import Labels
from streams.wall import time_of_day
from streams.whole_file import replace_text

_log = logging.getLogger(__name__)
FILE = Path("silences.json")
LONGEST = 30 * 86_400.0
MOST = 1_000
LATEST = 253_402_300_799.0
"""The end of the year 9999: what comes after it is no date."""


@dataclass(frozen=True, slots=True)
class Silence:
    """``rule``: its name, or ``ALL``. ``labels``: those that an alert has among its own. ``until``: time of day."""

    rule: str
    until: float
    labels: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def covers(self, name: str, labels: Labels) -> bool:
        """Whether it is about an alert."""
        return self.rule in {ALL, name} and set(self.labels.items()) <= set(labels)


_FIELDS = frozenset(one.name for one in fields(Silence))


def read(path: Path) -> list[Silence]:
    """All of a file; none if there is none. Raises ConfigurationError."""
    try:
        found = [_silence(said) for said in json.loads(path.read_text())]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ConfigurationError(f"{path} holds no silences: {error}", "Take it away; nothing is silent then.") from None
    return found


def write(path: Path, silences: list[Silence], now: float) -> None:
    """In place of those that are there; what is over goes. Raises ConfigurationError."""
    kept = [silence for silence in silences if silence.until > now]
    if len(kept) > MOST:
        raise ConfigurationError(f"there are {MOST} silences", "End some: `monmouth alerts silences list`.")
    if wrong := [silence for silence in kept if silence.until > now + LONGEST]:
        raise ConfigurationError(f"{wrong[0].rule} would be silent for more than 30 days", "Disable the rule instead.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, json.dumps([asdict(silence) for silence in kept], indent=1))
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None


class Silences:
    """As one watch sees them."""

    def __init__(
        self, path: Path, clock: Callable[[], float] = time.monotonic, today: Callable[[], float] = time_of_day
    ) -> None:
        self._path = path
        self._changes = Changes(path, clock)
        self._today = today
        self._known: list[Silence] = []

    def cover(self, name: str, labels: Labels) -> bool:
        """Whether nobody is to be told of an alert now."""
        self._look()
        return any(silence.until > self._today() and silence.covers(name, labels) for silence in self._known)

    def _look(self) -> None:
        if not self._changes.any():
            return
        try:
            self._known = read(self._path)
        except ConfigurationError as error:
            _log.warning("silences are not readable, those known stay: %s", error.message)


def _silence(said: Any) -> Silence:
    """What a later version says besides is left out."""
    found = Silence(**{name: value for name, value in said.items() if name in _FIELDS})
    if not all(isinstance(text, str) for text in (found.rule, found.reason, found.id)):
        raise TypeError("rule, reason and id are texts")
    until = float(found.until)
    if not 0 <= until <= LATEST:
        raise ValueError("until is no time of day")
    return replace(found, until=until, labels={str(name): str(value) for name, value in found.labels.items()})
