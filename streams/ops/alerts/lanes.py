"""Lanes: the events of each channel, told one after the other.

Invariants: events of a channel are told in order; nothing that waits grows without end; a slow channel delays no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from streams.ops.alerts.channels import Channel
from streams.ops.alerts.delivery import Delivery
from streams.ops.alerts.life import Event
from streams.ops.alerts.metrics import TOLD

_log = logging.getLogger(__name__)
MOST_WAITING = 1_000
LAST_SECONDS = 5.0


class Lanes:
    """``channels``: by the names that rules use. ``run`` tells; ``add`` has the channels of its rule told of an event.

    One that is silenced is told to nobody.
    """

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._lanes = {name: _Lane(Delivery(name, channel)) for name, channel in channels.items()}

    def add(self, event: Event) -> None:
        for name in () if event.silenced else event.rule.channels:
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

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(MOST_WAITING)

    def add(self, event: Event) -> None:
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            TOLD.labels(self._delivery.name, "dropped").inc()
            _log.error("channel %s: %d events wait; dropped: %s", self._delivery.name, MOST_WAITING, event.summary)

    async def run(self) -> None:
        while True:
            event = await self._waiting.get()
            try:
                await self._delivery.tell(event)
            finally:
                self._waiting.task_done()

    async def empty(self) -> None:
        await self._waiting.join()
