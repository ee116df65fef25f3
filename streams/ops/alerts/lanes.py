"""Lanes: the events of each channel, told one after the other.

Invariants: telling that fails is tried again with growing pauses, in order per channel; nothing that waits grows without end; a
slow channel delays no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import backoff

from streams.ops.alerts.channels import Channel, ChannelError
from streams.ops.alerts.life import Event

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
            _log.error("channel %s: %d events wait; dropped: %s", self._name, MOST_WAITING, event.summary)

    async def run(self) -> None:
        while True:
            event = await self._waiting.get()
            try:
                await self._send(event)
            except ChannelError as error:
                _log.error("channel %s: given up after %d tries (%s): %s", self._name, TRIES, error.message, event.summary)
            finally:
                self._waiting.task_done()

    async def empty(self) -> None:
        await self._waiting.join()
