"""Watches: reads /metrics of some processes, again and again, and tells what the rules say.

Assumes addresses that serve the Prometheus text format. Invariants: an address that does not answer is a metric itself
(``monmouth_target_up`` 0), never a silence; telling an event that fails is tried again with growing pauses, in order per
channel, and nothing that waits grows without end; a slow channel or address delays no other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

import aiohttp
import backoff
from prometheus_client.parser import text_string_to_metric_families

from streams.ops.alerts.channels import Channel, ChannelError
from streams.ops.alerts.evaluate import holding
from streams.ops.alerts.expression import PREFIX
from streams.ops.alerts.life import Alerts, Event
from streams.ops.alerts.rules import Rule, longest_window
from streams.ops.alerts.series import UP, Sample, Series

_log = logging.getLogger(__name__)
MOST_BYTES = 16 * 1024 * 1024
MOST_WAITING = 1_000
TRIES = 8


def samples_of(text: str, target: str, at: float) -> Iterator[Sample]:
    """What a page of metrics holds of ours, under its ``target``. Raises ValueError for what is no such page."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith(PREFIX):
                labels = {**sample.labels, "target": target}
                yield Sample(sample.name, tuple(sorted(labels.items())), at, float(sample.value))


class Watch:
    """``channels``: by the names that rules use."""

    def __init__(
        self, rules: Sequence[Rule], targets: Sequence[str], channels: Mapping[str, Channel], *, interval: float = 0.5
    ) -> None:
        self._rules = [rule for rule in rules if rule.enabled]
        self._targets = targets
        self._interval = interval
        self._series = Series(longest_window(rules) + 2 * interval + 60)
        self._alerts = Alerts()
        self._lanes = {name: _Lane(name, channel) for name, channel in channels.items()}
        self.told: Callable[[Event], None] = lambda _: None

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``; then what waits is told, for a few seconds at most."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=max(2.0, self._interval))) as session:
            readers = [asyncio.create_task(self._read(session, target, stop)) for target in self._targets]
            tellers = [asyncio.create_task(lane.run()) for lane in self._lanes.values()]
            try:
                while not stop.is_set():
                    self._evaluate(time.time())
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), self._interval)
                await asyncio.wait([asyncio.create_task(lane.empty()) for lane in self._lanes.values()], timeout=5)
            finally:
                for task in (*readers, *tellers):
                    task.cancel()
                await asyncio.gather(*readers, *tellers, return_exceptions=True)

    async def _read(self, session: aiohttp.ClientSession, target: str, stop: asyncio.Event) -> None:
        while not stop.is_set():
            began = time.monotonic()
            self._series.add(await self._samples(session, target))
            await asyncio.sleep(max(0.0, self._interval - (time.monotonic() - began)))

    async def _samples(self, session: aiohttp.ClientSession, target: str) -> list[Sample]:
        up = (("target", target),)
        try:
            async with session.get(target) as answer:
                answer.raise_for_status()
                body = await answer.content.read(MOST_BYTES + 1)
                while len(body) <= MOST_BYTES and (more := await answer.content.read(MOST_BYTES)):
                    body += more
            if len(body) > MOST_BYTES:
                raise ValueError(f"a page of more than {MOST_BYTES} bytes")
            found = list(samples_of(body.decode(), target, time.time()))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            _log.debug("%s: %s", target, error)
            return [Sample(UP, up, time.time(), 0.0)]
        return [*found, Sample(UP, up, time.time(), 1.0)]

    def _evaluate(self, now: float) -> None:
        self._series.forget(now)
        for rule in self._rules:
            for event in self._alerts.step(rule, holding(rule.expression, self._series, now), now):
                self.told(event)
                for name in rule.channels:
                    self._lanes[name].add(event)


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
