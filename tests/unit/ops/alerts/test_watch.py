"""The watch over pages of metrics that are served as processes serve them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from streams.ops.alerts.errors import ChannelError
from streams.ops.alerts.life import Event
from streams.ops.alerts.rules import AlertRule, rules_of
from streams.ops.alerts.watch import Watch

RULES = """
[[rule]]
name = "High"
condition = "level > 5"
[[rule]]
name = "Down"
condition = "target_up < 1"
"""


class Told:
    """A channel that fails at first."""

    def __init__(self, failures: int = 0) -> None:
        self.events: list[Event] = []
        self.failures = failures

    async def send(self, event: Event) -> None:
        if self.failures:
            self.failures -= 1
            raise ChannelError("not now")
        self.events.append(event)


class Process:
    """A process with one gauge."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.level = Gauge("monmouth_level", "", registry=self.registry)
        self.up = True

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self.registry)) if self.up else web.Response(status=503)


@asynccontextmanager
async def watched(process: Process, channel: Told, rules: list[AlertRule]) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_get("/metrics", process.metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
    stop = asyncio.Event()
    task = asyncio.create_task(Watch(rules, [url], {"log": channel}, interval=0.05).run(stop))
    try:
        yield
    finally:
        stop.set()
        await task
        await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def told(channel: Told) -> list[tuple[str, str]]:
    return [(event.rule.name, event.state) for event in channel.events]


async def test_an_alert_is_told_and_resolved_soon_after_the_metric_says_so() -> None:
    process, channel = Process(), Told()
    async with watched(process, channel, rules_of(RULES, "here")):
        await asyncio.sleep(0.3)
        assert channel.events == []
        process.level.set(6)
        moved = time.time()
        await until(lambda: told(channel) == [("High", "firing")])
        assert channel.events[0].value == 6
        assert channel.events[0].at >= moved
        process.level.set(1)
        await until(lambda: told(channel)[1:] == [("High", "resolved")])


async def test_a_process_that_does_not_answer_is_told() -> None:
    process, channel = Process(), Told()
    async with watched(process, channel, rules_of(RULES, "here")):
        process.up = False
        await until(lambda: told(channel) == [("Down", "firing")])
        process.up = True
        await until(lambda: told(channel)[1:] == [("Down", "resolved")])


async def test_what_a_channel_did_not_take_is_told_again() -> None:
    process, channel = Process(), Told(failures=1)
    async with watched(process, channel, rules_of(RULES, "here")):
        process.level.set(9)
        await until(lambda: told(channel) == [("High", "firing")])
    assert channel.failures == 0


async def test_a_rule_that_is_off_says_nothing() -> None:
    process, channel = Process(), Told()
    process.level.set(9)
    async with watched(process, channel, rules_of(RULES.replace('"level > 5"', '"level > 5"\nenabled = false'), "here")):
        process.up = False
        await until(lambda: len(channel.events) == 1)
    assert told(channel) == [("Down", "firing")]
