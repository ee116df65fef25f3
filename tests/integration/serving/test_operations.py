"""The live state of a gateway, from records on a real broker."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer

from streams.serving.ops import series as named
from streams.serving.ops.operations import Operations
from streams.serving.ops.sections import series
from streams.settings import Settings
from streams.topics import OPS_ALERTS, OPS_HEALTH, OPS_METRICS, OPS_WINDOWS, physical
from tests.integration.serving.broker import eventually
from tests.unit.serving.ops.said import alert, gauge, health, metrics, window

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def test_one_reader_folds_all_topics_old_and_new(kafka_settings: Settings) -> None:
    prefix, now = kafka_settings.kafka.prefix, int(time.time() * 1_000)
    operations = Operations(kafka_settings.kafka)
    board = operations.board
    async with producing(kafka_settings) as producer:
        for partition, (component, disk) in enumerate([("gateway", 10.0), ("worker", 20.0)]):
            report = metrics(component, now, gauge(named.DISK, disk))
            for _ in range(3):
                await producer.send_and_wait(
                    physical(prefix, OPS_METRICS), report.to_value(), key=report.key, partition=partition
                )
        firing = alert("Slow", now, agent="memory")
        await producer.send_and_wait(physical(prefix, OPS_ALERTS), firing.to_value(), key=firing.key)
        await producer.send_and_wait(physical(prefix, OPS_HEALTH), b"garbage", key=b"worker/1")
        operations.start()
        try:
            await eventually(
                lambda: operations.tail.caught_up.is_set() and len(board.alerts) == 1 and len(board.processes) == 2
            )
            assert board.measures().gauge(named.DISK, max) == 20.0
            version = board.version
            report, seen = health("worker", now), window("slo", "availability", now, budget_left=0.5)
            passed = window("rate", "one of thousands", now)
            await producer.send_and_wait(physical(prefix, OPS_WINDOWS), passed.to_value(), key=passed.key)
            await producer.send_and_wait(physical(prefix, OPS_HEALTH), report.to_value(), key=report.key)
            await producer.send_and_wait(physical(prefix, OPS_WINDOWS), seen.to_value(), key=seen.key)
            done = alert("Slow", now, "resolved", agent="memory")
            await producer.send_and_wait(physical(prefix, OPS_ALERTS), done.to_value(), key=done.key)
            await operations.changed(version)
            await eventually(lambda: board.score() == 1.0 and not board.alerts and bool(board.windows()))
            assert [one.name for one in board.windows() or ()] == ["availability"]
            await eventually(lambda: series(board, "disk_percent", 60).latest == 20.0)
        finally:
            await operations.stop()
        again = Operations(kafka_settings.kafka)
        again.start()
        try:
            await eventually(lambda: again.tail.caught_up.is_set() and again.board.score() == 1.0)
            assert not again.board.alerts
            assert len(again.board.resolved) == 1
        finally:
            await again.stop()


async def test_without_a_broker_it_says_why(kafka_settings: Settings) -> None:
    kafka = kafka_settings.kafka.model_copy(update={"prefix": "nowhere."})
    operations = Operations(kafka)
    operations.start()
    try:
        await eventually(lambda: "there is no topic nowhere.ops.metrics" in operations.tail.complaint)
    finally:
        await operations.stop()
