"""Telling a channel what is in ops.alerts: an end once, what stands as long as it does, and no answer is lost at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from streams.ops.alerts import teller as module
from streams.ops.alerts.errors import ChannelError
from streams.ops.alerts.life import Event
from streams.ops.alerts.rules import AlertRule
from streams.ops.alerts.teller import Former, Teller
from streams.ops.reports import AlertRecord
from streams.ports.log import LogError
from streams.settings import KafkaSettings

RULES = {"High": AlertRule("High", "a > 1", channels=("hook",))}
NOTHING = Former({}, 0)


def alert(state: str, at_ms: int = 1_000) -> AlertRecord:
    return AlertRecord("High", {"instance": "a"}, "warning", state, at_ms, 2.0, f"[{state}] warning High")


@dataclass
class Consumer:
    """Of a group that has its position already."""

    records: list[AlertRecord]
    position: int = 0
    stopped: bool = False

    async def start(self) -> None:
        pass

    async def committed(self, source: object) -> int:
        return self.position

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[Any, list[SimpleNamespace]]:
        await asyncio.sleep(0)
        if self.position == len(self.records):
            await asyncio.sleep(0.01)
            return {}
        record = self.records[self.position]
        return {SOURCE: [SimpleNamespace(offset=self.position, key=record.key, value=record.to_value())]}

    async def commit(self, offsets: dict[Any, int]) -> None:
        await asyncio.sleep(0)
        (self.position,) = offsets.values()

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.stopped = True


class Hook:
    """A channel that answers when it is let."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.told: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.away = False

    async def send(self, event: Event) -> None:
        self.begun.append(event.state)
        if self.away:
            raise ChannelError("away")
        await self.open.wait()
        self.told.append(event.state)


class Told(Teller):
    """Of a consumer that is given; ``newest``: what ops.alerts says, None: it cannot be read."""

    def __init__(self, consumer: Consumer, hook: Hook) -> None:
        super().__init__(KafkaSettings(), "hook", hook, RULES, self.look)
        self.consumer = consumer
        self.newest: AlertRecord | None = None

    def _consumer(self) -> Consumer:
        return self.consumer

    async def look(self) -> Former:
        if self.newest is None:
            raise LogError("away")
        return Former({self.newest.key: self.newest}, 1)


SOURCE = Told(Consumer([]), Hook())._source


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def test_what_was_declared_over_by_hand_is_over_once() -> None:
    consumer, hook = Consumer([alert("firing"), alert("resolved"), alert("resolved", 2_000), alert("firing", 3_000)]), Hook()
    teller = Told(consumer, hook)
    running = asyncio.create_task(teller.run(NOTHING))
    await until(lambda: consumer.position == 4)
    await teller.end(running)
    assert hook.told == ["firing", "resolved", "firing"]
    assert consumer.stopped


async def test_so_is_what_was_over_before_this_teller_began() -> None:
    consumer, hook = Consumer([alert("resolved"), alert("resolved", 2_000)], position=1), Hook()
    teller = Told(consumer, hook)
    running = asyncio.create_task(teller.run(Former({alert("resolved").key: alert("resolved")}, 1)))
    await until(lambda: consumer.position == 2)
    await teller.end(running)
    assert hook.told == []


async def test_an_answer_that_is_under_way_at_the_end_is_waited_for_and_remembered() -> None:
    consumer, hook = Consumer([alert("firing"), alert("resolved")]), Hook()
    teller = Told(consumer, hook)
    hook.open.clear()
    running = asyncio.create_task(teller.run(NOTHING))
    await until(lambda: len(hook.begun) == 1)
    ending = asyncio.create_task(teller.end(running))
    await asyncio.sleep(0.05)
    assert not running.done()
    hook.open.set()
    await ending
    assert (hook.told, hook.begun, consumer.position) == (["firing"], ["firing"], 1), "and nothing new is begun"
    assert consumer.stopped


async def test_a_receiver_that_does_not_answer_is_waited_for_no_longer_than_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_SECONDS", 0.05)
    consumer, hook = Consumer([alert("firing")]), Hook()
    teller = Told(consumer, hook)
    hook.open.clear()
    running = asyncio.create_task(teller.run(NOTHING))
    await until(lambda: len(hook.begun) == 1)
    await teller.end(running)
    assert (running.cancelled(), consumer.position, consumer.stopped) == (True, 0, True)


async def test_a_pause_between_two_tries_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_SECONDS", 3_600.0)
    consumer, hook = Consumer([alert("firing")]), Hook()
    teller = Told(consumer, hook)
    hook.away = True
    running = asyncio.create_task(teller.run(NOTHING))
    await until(lambda: len(hook.begun) == 1)
    await asyncio.wait_for(teller.end(running), 30)
    assert consumer.position == 0, "the next teller tries it"


async def test_an_event_is_worth_another_try_while_it_is_the_newest() -> None:
    teller = Told(Consumer([]), Hook())
    assert await teller._worth(alert("firing")), "nobody knows better"
    teller.newest = alert("firing")
    assert await teller._worth(alert("firing"))
    teller.newest = alert("resolved", 2_000)
    assert not await teller._worth(alert("firing"))


async def test_what_stands_is_tried_on_and_the_next_is_told_then() -> None:
    consumer, hook = Consumer([alert("firing"), alert("resolved", 2_000)]), Hook()
    teller, tries = Told(consumer, hook), 0

    async def sleep(_: float) -> None:
        nonlocal tries
        tries += 1
        hook.away = tries < 20
        await asyncio.sleep(0)

    teller.newest = alert("firing")
    hook.away = True
    teller._delivery._sleep = teller._delivery._policy._sleep = sleep
    running = asyncio.create_task(teller.run(NOTHING))
    await until(lambda: consumer.position == 2)
    await teller.end(running)
    assert hook.told == ["firing", "resolved"]
