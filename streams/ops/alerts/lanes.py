"""Lanes: the events of each channel, told one after the other.

Invariants: telling that fails is tried again with growing pauses, in order per channel; nothing that waits grows without end; a
slow channel delays no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import backoff

from streams.ops.alerts.channels import Channel, ChannelError
from streams.ops.alerts.life import Event
from streams.ops.alerts.metrics import TELLING, TOLD
from streams.wall import time_of_day

_log = logging.getLogger(__name__)
MOST_WAITING = 1_000
TRIES = 8
LAST_SECONDS = 5.0


class Lanes:
    """``channels``: by the names that rules use. ``run`` tells; ``add`` has an event told on the channels of its rule."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._lanes = {name: _Lane(name, channel) for name, channel in channels.items()}

    def add(self, event: Event) -> None:
        for name in event.rule.channels:
            self._lanes[name].add(event)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes.values():
                group.create_task(lane.run())

    async def empty(self) -> None:
        """Until all is told, for a few seconds at most."""
        await asyncio.wait([asyncio.create_task(lane.empty()) for lane in self._lanes.values()], timeout=LAST_SECONDS)


async def tell(name: str, send: Callable[[Event], Awaitable[None]], event: Event) -> None:
    """Has ``send`` tell an event, and counts what became of it. Raises nothing: the next event is told whatever one met."""
    try:
        await send(event)
    except Exception as error:  # a ChannelError after many tries, or what a client's library was not said to raise
        TOLD.labels(name, "given up").inc()
        said = error.message if isinstance(error, ChannelError) else type(error).__name__
        _log.error("channel %s: given up (%s): %s", name, said, event.summary)
        return
    TOLD.labels(name, "taken").inc()
    TELLING.labels(name).observe(max(0.0, time_of_day() - event.at))


class _Lane:
    """Events of one channel, told one after the other."""

    def __init__(self, name: str, channel: Channel) -> None:
        self._name = name
        self._channel = channel
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(MOST_WAITING)
        self._send = backoff.on_exception(backoff.expo, ChannelError, max_tries=TRIES, max_value=30, logger=None)(channel.send)

    def add(self, event: Event) -> None:
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            TOLD.labels(self._name, "dropped").inc()
            _log.error("channel %s: %d events wait; dropped: %s", self._name, MOST_WAITING, event.summary)

    async def run(self) -> None:
        while True:
            event = await self._waiting.get()
            try:
                await tell(self._name, self._send, event)
            finally:
                self._waiting.task_done()

    async def empty(self) -> None:
        await self._waiting.join()
