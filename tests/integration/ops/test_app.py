"""The faust application on a real broker: windows of what processes report, and none lost where it is killed with -9."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import pytest
from aiokafka import AIOKafkaProducer

from streams.ops.reports import MetricReport, MetricSample, Window
from streams.ops.values import windows_of
from streams.ops.windows import HOUR, MINUTE, SIZES, History, row_of, start_of
from streams.settings import Settings
from streams.topics import OPS_METRICS, OPS_SERIES, OPS_WINDOWS, physical
from tests.e2e.processes import Child, running
from tests.e2e.readback import read

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

PROCESSES = ("one", "two", "three")


def reports(instance: str, begin: int, count: int) -> list[MetricReport]:
    """One a second: a counter, a gauge, a histogram."""
    return [
        MetricReport(
            "worker",
            instance,
            begin + at * 1000,
            (
                MetricSample("monmouth_records_total", "COUNTER", {"topic": "t"}, 3.0 * at),
                MetricSample("monmouth_level", "GAUGE", {}, float(at)),
                MetricSample("monmouth_time_bucket", "HISTOGRAM", {"le": "1.0"}, float(at)),
                MetricSample("monmouth_time_bucket", "HISTOGRAM", {"le": "+Inf"}, 2.0 * at),
                MetricSample("monmouth_time_sum", "HISTOGRAM", {}, 4.0 * at),
                MetricSample("monmouth_time_count", "HISTOGRAM", {}, 2.0 * at),
            ),
            started_ms=1,
        )
        for at in range(count)
    ]


def wanted(sent: Iterable[MetricReport]) -> dict[bytes, Window]:
    """What the pure fold makes of them: every window that is closed."""
    histories: dict[str, History] = {}
    for report in sent:
        histories.setdefault(report.instance, History()).take(row_of(report))
    return {
        window.key: window
        for instance, history in histories.items()
        for seconds in SIZES
        for start in history.starts(seconds)
        for window in windows_of({"component": "worker", "instance": instance}, history, seconds, start)
        if window.closed
    }


async def said(settings: Settings) -> dict[bytes, Window]:
    """The last record of each key in ops.windows of these processes that is closed."""
    found = [entry for part in (await read(settings.kafka, OPS_WINDOWS)).values() for entry in part]
    windows = [Window.from_value(entry.value) for entry in sorted(found, key=lambda entry: entry.offset)]
    ours = {window.key: window for window in windows if window.labels["component"] == "worker"}
    return {key: window for key, window in ours.items() if window.closed}


async def send(producer: AIOKafkaProducer, settings: Settings, some: Iterable[MetricReport]) -> None:
    topic = physical(settings.kafka.prefix, OPS_METRICS)
    await asyncio.gather(*[await producer.send(topic, report.to_value(), key=report.key) for report in some])


async def agrees(settings: Settings, sent: list[MetricReport], child: Child) -> None:
    """Waits until every closed window is in the topic, and compares it with the fold's."""
    right = wanted(sent)
    async with asyncio.timeout(60):
        while (found := await said(settings)).keys() != right.keys():
            child.check()
            await asyncio.sleep(0.3)
    assert found == right


async def test_windows_are_those_of_the_fold_and_none_is_lost_where_it_is_killed(kafka_settings: Settings) -> None:
    settings = kafka_settings
    begin = start_of(int(time.time() * 1000), HOUR) - 2 * MINUTE * 1000  # the hour ends in it
    every = [reports(name, begin, 200) for name in PROCESSES]
    in_turn = [report for together in zip(*every, strict=True) for report in together]
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, enable_idempotence=True) as producer:
        async with running(settings, "ops") as first:
            await send(producer, settings, in_turn[:150])
            await agrees(settings, in_turn[:150], first)
            await send(producer, settings, in_turn[150:400])
            await asyncio.sleep(0.3)  # somewhere in the middle of them
            first.kill()
        await send(producer, settings, in_turn[400:])
        async with running(settings, "ops") as second:
            await agrees(settings, in_turn, second)
            closing = MetricReport("worker", "one", begin + 500_000)
            await send(producer, settings, [*in_turn[300:420], closing])
            await send(producer, settings, in_turn)  # again, the older ones too late by now
            await agrees(settings, [*in_turn, closing], second)
            second.stop()
    kept = [entry for part in (await read(settings.kafka, OPS_SERIES)).values() for entry in part]
    assert any(entry.value is None for entry in kept), "cells that nothing can change any more are taken out of the table"


async def test_without_topics_it_says_so(kafka_settings: Settings) -> None:
    kafka = kafka_settings.kafka.model_copy(update={"prefix": "absent."})
    child = Child(kafka_settings.model_copy(update={"kafka": kafka}), "ops")
    assert await asyncio.to_thread(child.process.wait, 60) == 1
    assert "topics are missing: absent.ops.alerts" in child.said()
    assert "Traceback" not in child.said()
