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
from streams.cluster.ending import ended
from streams.cluster.refusals import demand_access
from streams.cluster.words import spoken
from streams.errors import Category, ConfigurationError, MonmouthError, Severity
from streams.health import Health, Look, watch
from streams.metrics import count_error
from streams.ops.app.declared import OpsApp
from streams.ops.app.parts import PARTS
from streams.outage import Outage
from streams.settings import OPS, KafkaSettings, Settings
from streams.topics import TOPICS, physical

_log = logging.getLogger(__name__)
PAUSE = 2.0
"""Between two looks whether the brokers are there."""


class OpsError(MonmouthError):
    """The application ended by itself. What it had not acknowledged is folded again when it starts."""

    category = Category.PROCESSING
    severity = Severity.HIGH


async def run_ops(settings: Settings, stop: asyncio.Event, health: Health) -> None:
    """Waits for brokers, then works until ``stop``. Raises OpsError if it ends before, ConfigurationError without topics."""
    if not await _found_topics(settings.kafka.as_role(OPS), stop, health):
        return
    ops = OpsApp(settings)
    for part in PARTS:
        part(ops)
    app = ops.app
    logging.getLogger("mode.timers").setLevel(logging.ERROR)  # a turn that came late is seen in the process's own health

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
        asyncio.get_running_loop().set_exception_handler(_unless_cancelled)
        with suppress(Exception):  # of a client that failed, after which the reason is said
            await app.stop()
    reason = ops.failed.result() if ops.failed.done() else app.crash_reason
    if reason is not None:
        _log.error("operations failed", exc_info=None if isinstance(reason, MonmouthError | KafkaError) else reason)
        raise OpsError(
            f"operations stopped: {type(reason).__name__}: {reason}",
            "Start it again: it goes on with what it had not acknowledged.",
        )


def _unless_cancelled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What faust gives up while it stops is not acknowledged, and is folded again: no news."""
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


async def _found_topics(kafka: KafkaSettings, stop: asyncio.Event, health: Health) -> bool:
    """Waits for brokers. False if it is told to stop before there are any."""
    outage, complaints = Outage(_log), ["the brokers have not answered yet"]
    watching = asyncio.create_task(watch(health, lambda: Look(False, complaints)))
    try:
        while not stop.is_set():
            try:
                await _demand_topics(kafka)
            except (KafkaError, OSError) as error:
                count_error(error)
                outage.failed(spoken(error))
                complaints = [spoken(error)]
            else:
                outage.over()
                return True
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PAUSE)
    finally:
        watching.cancel()
    return False


async def _demand_topics(kafka: KafkaSettings) -> None:
    """Of a topic that is made later faust would get nothing."""
    await demand_access(kafka)
    consumer = AIOKafkaConsumer(**client_arguments(kafka))
    try:
        await consumer.start()
        found = await consumer.topics()
    finally:
        await ended(consumer)
    wanted = {physical(kafka.prefix, name) for name, spec in TOPICS.items() if OPS in {spec.writer, *spec.readers}}
    if missing := sorted(wanted - found):
        raise ConfigurationError(f"topics are missing: {', '.join(missing)}", "Run 'monmouth topics apply' first.")
