"""Runs the application in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from faust.tables.manager import TableManager

from streams.cluster.arguments import client_arguments
from streams.cluster.refusals import demand_access
from streams.errors import Category, ConfigurationError, MonmouthError, Severity
from streams.health import Health, Look, watch
from streams.ops.app.declared import OpsApp
from streams.ops.app.parts import PARTS
from streams.settings import OPS, KafkaSettings, Settings
from streams.topics import TOPICS, physical

_log = logging.getLogger(__name__)


class OpsError(MonmouthError):
    """The application ended by itself. What it had not acknowledged is folded again when it starts."""

    category = Category.PROCESSING
    severity = Severity.HIGH


async def run_ops(settings: Settings, stop: asyncio.Event, health: Health) -> None:
    """Until ``stop``. Raises OpsError if it ends before, ConfigurationError if topics are missing."""
    await _demand_topics(settings.kafka.as_role(OPS))
    ops = OpsApp(settings)
    for part in PARTS:
        part(ops)
    app = ops.app

    recovery = cast("TableManager", app.tables).recovery

    def look() -> Look:
        waits = app.rebalancing or recovery.in_recovery or not recovery.completed.is_set()
        complaints: Sequence[str] = ("its tables are being read",) if waits else ()
        return Look(not complaints, complaints)

    await app.start()
    tasks: list[asyncio.Future[Any]] = [
        asyncio.create_task(work) for work in (watch(health, look), app.wait_until_stopped(), stop.wait())
    ]
    try:
        await asyncio.wait([*tasks[1:], ops.failed], return_when=asyncio.FIRST_COMPLETED)
    finally:
        health.stopping()
        for task in tasks:
            task.cancel()
        with suppress(Exception):  # of a client that failed, after which the reason is said
            await app.stop()
    reason = ops.failed.result() if ops.failed.done() else app.crash_reason
    if reason is not None:
        _log.error("operations failed", exc_info=None if isinstance(reason, MonmouthError | KafkaError) else reason)
        raise OpsError(
            f"operations stopped: {type(reason).__name__}: {reason}",
            "Start it again: it goes on with what it had not acknowledged.",
        )


async def _demand_topics(kafka: KafkaSettings) -> None:
    """Of a topic that is made later faust would get nothing."""
    await demand_access(kafka)
    async with AIOKafkaConsumer(**client_arguments(kafka)) as consumer:
        found = await consumer.topics()
    wanted = {physical(kafka.prefix, name) for name, spec in TOPICS.items() if OPS in {spec.writer, *spec.readers}}
    if missing := sorted(wanted - found):
        raise ConfigurationError(f"topics are missing: {', '.join(missing)}", "Run 'monmouth topics apply' first.")
