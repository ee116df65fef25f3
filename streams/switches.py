"""Switches of one state folder: what whoever watches over its processes has switched off, and for how long.

A file that is replaced whole; processes look at it a few times a second. ``vectors``: the gateway answers without the vector
store. ``hold AGENT/PARTITION``: workers leave that partition alone, and nothing of it is lost, since its position stays.
Invariants: a switch ends by itself after its ``seconds``, also if whoever set it is gone, and one that is over stays so for
processes that start later: these count from when it was set, by the time of day, the others by their own clocks from when they
first saw it. One without stays until it is taken out. A file that cannot be read changes nothing, and stops nothing.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from streams import wall
from streams.changes import Changes

_log = logging.getLogger(__name__)
FILE = Path("switches.json")
VECTORS = "vectors"
MOST = 1_000


@dataclass(frozen=True, slots=True)
class Switch:
    """``id``: of this setting of it. ``seconds``: None for as long as it is there. ``at``: time of day when it was set."""

    why: str
    seconds: float | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    at: float = field(default_factory=wall.time_of_day)


def hold(agent: str, partition: int) -> str:
    """Name of the switch that holds a partition."""
    return f"hold {agent}/{partition}"


def read(path: Path) -> dict[str, Switch]:
    """All that are set; none if there is no such file. Raises ValueError, OSError."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    try:
        found = {str(name): Switch(**said) for name, said in json.loads(text).items()}
    except (AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} holds no switches: {error}") from None
    if len(found) > MOST:
        raise ValueError(f"{path} holds more than {MOST} switches")
    return found


def change(path: Path, put: Mapping[str, Switch] | None = None, drop: tuple[str, ...] = ()) -> None:
    """Sets some and takes others out. One process at a time may do so. Raises ValueError, OSError."""
    wanted: dict[str, Any] = {name: asdict(switch) for name, switch in (read(path) | dict(put or {})).items()}
    for name in drop:
        wanted.pop(name, None)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(wanted, file, indent=1)
        Path(name).replace(path)
    except BaseException:  # a full disk, most likely
        Path(name).unlink(missing_ok=True)
        raise


class Switches:
    """As one process sees them."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        time_of_day: Callable[[], float] = wall.time_of_day,
    ) -> None:
        self._path = path
        self._clock = clock
        self._time_of_day = time_of_day
        self._changes = Changes(path, clock)
        self._known: dict[str, Switch] = {}
        self._seen: dict[str, float] = {}

    def on(self, name: str) -> Switch | None:
        """The switch, if it is set and its time not over."""
        self._look()
        switch = self._known.get(name)
        if switch is None or (switch.seconds is not None and self._clock() - self._seen[switch.id] >= switch.seconds):
            return None
        return switch

    def _look(self) -> None:
        if not self._changes.any():
            return
        try:
            self._known = read(self._path)
        except (OSError, ValueError) as error:
            _log.warning("switches are not readable, those known stay: %s", error)
            return
        now, today = self._clock(), self._time_of_day()
        self._seen = {
            switch.id: self._seen.get(switch.id, now - max(0.0, today - switch.at)) for switch in self._known.values()
        }
