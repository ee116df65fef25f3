"""Lanes: nothing that one event meets keeps the next from being told, and what there is no room for is counted."""

from __future__ import annotations

import asyncio

from streams.ops.alerts.lanes import MOST_WAITING, Lanes
from streams.ops.alerts.life import Event
from streams.ops.alerts.metrics import FIRED, FIRING, TOLD, decided
from streams.ops.alerts.rules import AlertRule

RULE = AlertRule("R", "a > 1", severity="critical", channels=("c",))
EVENT = Event(RULE, (), "firing", 2.0, 0.0, 1.0)


def counted(channel: str, outcome: str) -> float:
    return TOLD.labels(channel, outcome)._value.get()


async def test_a_channel_that_breaks_tells_the_next_event() -> None:
    told: list[float] = []

    class Breaks:
        async def send(self, event: Event) -> None:
            if event.value == 1:
                raise ValueError("no client library said that it raises this")
            told.append(event.value)

    lanes = Lanes({"c": Breaks()})
    task = asyncio.create_task(lanes.run())
    for value in (1.0, 2.0):
        lanes.add(Event(RULE, (), "firing", value, 0.0, 1.0))
    await lanes.empty()
    task.cancel()
    await asyncio.wait([task])
    assert told == [2.0]


async def test_what_there_is_no_room_for_is_counted() -> None:
    class Silent:
        async def send(self, event: Event) -> None: ...

    lanes = Lanes({"c": Silent()})
    dropped = counted("c", "dropped")
    for _ in range(MOST_WAITING + 2):
        lanes.add(EVENT)
    assert counted("c", "dropped") == dropped + 2


def test_what_fires_is_counted_by_severity() -> None:
    fired = FIRED.labels("critical")._value.get()
    decided([EVENT, Event(RULE, (), "resolved", 2.0, 0.0, 1.0)], ["critical", "critical", "info"], {})
    assert FIRED.labels("critical")._value.get() == fired + 1
    assert [FIRING.labels(severity)._value.get() for severity in ("critical", "warning", "info")] == [2, 0, 1]
    decided([], [], {})
    assert FIRING.labels("critical")._value.get() == 0
