"""Watches: reads /metrics of some processes, again and again, and tells what the rules say.

Assumes addresses that serve the Prometheus text format. Invariants: an address that does not answer is a metric itself
(``monmouth_target_up`` 0), never a silence; rules are looked at as soon as an answer is there, and without any at each
interval; a slow channel or address delays no other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import aiohttp

from streams.ops.alerts.channels import Channel
from streams.ops.alerts.judge import Judge
from streams.ops.alerts.lanes import Lanes
from streams.ops.alerts.life import Event
from streams.ops.alerts.metrics import decided
from streams.ops.alerts.page import PageReader
from streams.ops.alerts.rules import AlertRule
from streams.ops.alerts.series import UP, Sample
from streams.ops.alerts.silences import Silences

_log = logging.getLogger(__name__)
MOST_BYTES = 16 * 1024 * 1024
SHORTEST = 0.02
"""Seconds between two looks at the rules, so that answers that come together are looked at once."""
REST = 2.0
"""Times as long as a look at the rules took, the loop has for others before the next one."""


class Watch:
    """``channels``: by the names that rules use."""

    def __init__(
        self,
        rules: Sequence[AlertRule],
        targets: Sequence[str],
        channels: Mapping[str, Channel],
        *,
        interval: float = 0.5,
        silences: Silences | None = None,
    ) -> None:
        self._judge = Judge(rules, interval, silences)
        self._targets = targets
        self._interval = interval
        self._fresh = asyncio.Event()
        self._lanes = Lanes(channels)
        self.complaint = ""
        self.told: Callable[[Event], None] = lambda _: None

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``; then what waits is told, for a few seconds at most."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=max(2.0, self._interval))) as session:
            tasks = [asyncio.create_task(self._read(session, target)) for target in self._targets]
            tasks += [asyncio.create_task(self._lanes.run()), asyncio.create_task(self._end(stop))]
            try:
                while not stop.is_set():
                    took = self._evaluate(time.time())
                    await asyncio.sleep(min(self._interval, max(SHORTEST, REST * took)))
                    await self._news()
                await self._lanes.empty()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _news(self) -> None:
        """Until there are samples to look at, or it is time to look at the clock."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._fresh.wait(), self._interval)
        self._fresh.clear()

    async def _end(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._fresh.set()

    async def _read(self, session: aiohttp.ClientSession, target: str) -> None:
        page = PageReader(target, self._judge.wanted)
        while True:
            began = time.monotonic()
            self._judge.take(await self._samples(session, target, page))
            self._fresh.set()
            await asyncio.sleep(max(0.0, self._interval - (time.monotonic() - began)))

    async def _samples(self, session: aiohttp.ClientSession, target: str, page: PageReader) -> list[Sample]:
        up = (("target", target),)
        try:
            async with session.get(target) as answer:
                answer.raise_for_status()
                body = await answer.content.read(MOST_BYTES + 1)
                while len(body) <= MOST_BYTES and (more := await answer.content.read(MOST_BYTES)):
                    body += more
            if len(body) > MOST_BYTES:
                raise ValueError(f"a page of more than {MOST_BYTES} bytes")
            found = list(page.read(body.decode(), time.time()))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            _log.debug("%s: %s", target, error)
            return [Sample(UP, up, time.time(), 0.0)]
        return [*found, Sample(UP, up, time.time(), 1.0)]

    def _evaluate(self, now: float) -> float:
        """Seconds it took."""
        began = time.monotonic()
        events = self._judge.step(now)
        decided(events, self._judge.firing(), self._judge.refused())
        for event in events:
            self.told(event)
            self._lanes.add(event)
        return time.monotonic() - began
