"""Service levels end to end on a real broker: reports, the application that is killed with -9, the commands, the watch by the
log."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from streams.cli.slo import slo
from streams.ops.alerts.defaults import default_rules
from streams.ops.alerts.life import Event
from streams.ops.alerts.logwatch import LogWatch
from streams.ops.reports import MetricReport, MetricSample, Window
from streams.ops.slo.minutes import MINUTE_MS
from streams.settings import Settings
from streams.topics import OPS_METRICS, OPS_SLO, OPS_WINDOWS, physical
from tests.e2e.processes import running
from tests.e2e.readback import read

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
MINUTES = 8


def reports(instance: str, begin: int) -> list[MetricReport]:
    """Ten seconds apart: 10 requests each, of which in the second half 2 fail; it begins anew in the middle."""
    found = []
    for at in range(6 * MINUTES):
        half = 3 * MINUTES
        started, since = (begin, at) if at < half else (begin + half * 10_000, at - half)
        failed = 0 if at < half else 2 * (since + 1)
        samples = [("200", 10 * (since + 1) - failed), ("503", failed)]
        name = "monmouth_http_request_latency_ms_count"
        counters = tuple(MetricSample(name, "HISTOGRAM", {"status": status}, float(value)) for status, value in samples)
        found.append(MetricReport("gateway", instance, begin + at * 10_000, counters, started))
    return found


async def send(producer: AIOKafkaProducer, settings: Settings, some: Iterable[MetricReport]) -> None:
    topic = physical(settings.kafka.prefix, OPS_METRICS)
    await asyncio.gather(*[await producer.send(topic, report.to_value(), key=report.key) for report in some])


def said(settings: Settings, *words: str) -> str:
    result = CliRunner().invoke(slo, words, obj=settings, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


async def test_every_event_is_counted_once_and_told(kafka_settings: Settings) -> None:
    settings = kafka_settings
    begin = (round(1000 * time.time()) - MINUTES * MINUTE_MS) // MINUTE_MS * MINUTE_MS
    every = [report for pair in zip(reports("one", begin), reports("two", begin), strict=True) for report in pair]
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, enable_idempotence=True) as producer:
        async with running(settings, "ops") as first:
            await send(producer, settings, every[:40])
            async with asyncio.timeout(60):
                while not any((await read(settings.kafka, OPS_SLO)).values()):
                    first.check()
                    await asyncio.sleep(0.2)
            await send(producer, settings, every[40:60])
            await asyncio.sleep(0.3)
            first.kill()
        async with running(settings, "ops") as second:
            await send(producer, settings, every[30:])
            async with asyncio.timeout(60):
                while True:
                    found = json.loads(await asyncio.to_thread(said, settings, "report", "--format", "json"))
                    availability = found["objectives"][0]
                    if availability["total"] >= 960:
                        break
                    second.check()
                    await asyncio.sleep(0.5)
            await watched(settings)
    assert (availability["total"], availability["bad"]) == (960, 96)
    assert availability["met"] is False
    assert availability["minutes_known"] == MINUTES
    status = json.loads(await asyncio.to_thread(said, settings, "status", "--json"))
    assert status["availability"]["alerts"] == {"fast": True, "slow": True}
    assert status["latency"]["budget_left"] is None


async def watched(settings: Settings) -> None:
    """The watch tells of the fast burn, which mutes the slow one, and says how the objective stands."""
    told: list[Event] = []
    stop, watch = asyncio.Event(), LogWatch(default_rules(), {}, settings)
    watch.told = told.append
    task = asyncio.create_task(watch.run(stop))
    async with asyncio.timeout(30):
        while not any(event.rule.name == "SloBurnFast" for event in told) or not (standing := await standings(settings)):
            await asyncio.sleep(0.3)
    stop.set()
    await task
    (event,) = (event for event in told if event.rule.name.startswith("Slo"))
    assert dict(event.labels) == {"objective": "availability", "speed": "fast"}
    assert standing["availability"].values["budget_left"] == pytest.approx(1 - 0.1 / 0.001)
    assert "budget_left" not in standing["latency"].values


async def standings(settings: Settings) -> dict[str, Window]:
    entries = [entry for part in (await read(settings.kafka, OPS_WINDOWS)).values() for entry in part]
    return {window.name: window for window in (Window.from_value(entry.value) for entry in entries) if window.kind == "slo"}
