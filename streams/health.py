"""What one process says of itself when it is probed: whether it lives, has started, and is ready.

Written by the event loop, read by the threads of the server. Alive: the loop comes to its turns; nothing else, since a restart
mends nothing else. Started: it has once had all it needs to begin. Ready: work gets on now.
Invariant: nothing is answered from memory: what the loop has not said for a while counts as no.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.errors import MonmouthError

LOOK_SECONDS = 0.25
STALE_SECONDS = 5.0
PULSE_SECONDS = 2.0
PULSE_PATIENCE = 3.0
REWINDS = "has rewound for"
"""In the complaint of a partition that follows a reorganisation."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look of the event loop at its work. ``complaints``: why it does not get on; none if it does. ``parts``: the same of
    each of the things that a process does, by name, where it does several.
    """

    started: bool
    complaints: Sequence[str] = ()
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Health:
    """Answers the probes of one process: each with its complaints, none for yes."""

    def __init__(self, live_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._live_seconds = live_seconds
        self._clock = clock
        self._looked = clock()
        self._started = False
        self._stopping = False
        self._complaints: Sequence[str] = ("it is starting",)
        self._parts: Mapping[str, Sequence[str]] = {}

    def look(self, look: Look) -> None:
        """Says how things are now; called by the event loop again and again."""
        self._started = self._started or look.started
        self._complaints = tuple(look.complaints)
        self._parts = {name: tuple(complaints) for name, complaints in look.parts.items()}
        self._looked = self._clock()

    def stopping(self) -> None:
        """From now on it is not ready: it finishes what is in flight."""
        self._stopping = True

    def live(self) -> Sequence[str]:
        """Complaints of /livez."""
        late = self._clock() - self._looked
        return (f"the event loop has had no turn for {late:.0f} s",) if late > self._live_seconds else ()

    def startup(self) -> Sequence[str]:
        """Complaints of /startupz."""
        return () if self._started else (self._complaints or ("it is starting",))

    def ready(self) -> Sequence[str]:
        """Complaints of /readyz."""
        return self._hindered() or self._complaints

    def parts(self) -> Mapping[str, Sequence[str]]:
        """Complaints of each part; none of any where the process has none."""
        hindered = self._hindered()
        return {name: hindered or complaints for name, complaints in self._parts.items()}

    def _hindered(self) -> Sequence[str]:
        if self._stopping:
            return ("it is stopping",)
        late = self._clock() - self._looked
        return (f"the event loop has had no turn for {late:.0f} s",) if late > STALE_SECONDS else ()


async def watch(health: Health, look: Callable[[], Look]) -> None:
    """Looks until cancelled."""
    while True:
        health.look(look())
        await asyncio.sleep(LOOK_SECONDS)


def broken(tasks: Iterable[asyncio.Task[Any]]) -> list[str]:
    """Those that failed, of tasks that nobody waits for: what one of them said last stands for ever."""
    done = [task for task in tasks if task.done() and not task.cancelled()]
    return [f"{task.get_name()} broke: {type(error).__name__}" for task in done if (error := task.exception()) is not None]


class Pulse:
    """Asks one part that is needed, again and again. ``complaint`` is empty while it answers; ``met``: it once did."""

    def __init__(self, name: str, ask: Callable[[], Awaitable[object]]) -> None:
        self.complaint = f"{name}: has not answered yet"
        self.met = False
        self._name = name
        self._ask = ask

    async def beat(self) -> None:
        """Asks until cancelled."""
        while True:
            self.complaint = await self._asked()
            self.met = self.met or not self.complaint
            await asyncio.sleep(PULSE_SECONDS)

    async def _asked(self) -> str:
        try:
            await asyncio.wait_for(self._ask(), PULSE_PATIENCE)
        except TimeoutError:
            return f"{self._name}: no answer within {PULSE_PATIENCE:g} s"
        except MonmouthError as error:
            return f"{self._name}: {error.message}"
        except Exception as error:  # whatever a store raises while it is away; its text may name what is not for everybody
            return f"{self._name}: {type(error).__name__}"
        return ""
