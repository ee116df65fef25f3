"""The application of operations, started before its brokers."""

from __future__ import annotations

import asyncio
import socket

import pytest

from streams.health import Health
from streams.ops.app.run import _unless_cancelled, run_ops
from streams.settings import KafkaSettings, Settings


async def test_it_waits_for_brokers_says_so_and_hears_the_stop(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        health, stop = Health(60), asyncio.Event()
        running = asyncio.create_task(run_ops(Settings(kafka=KafkaSettings(bootstrap=place)), stop, health))
        async with asyncio.timeout(20):
            while f"no broker answers at {place}" not in health.ready():
                assert not running.done()
                await asyncio.sleep(0.05)
        stop.set()
        await asyncio.wait_for(running, 10)
    assert [record.getMessage() for record in caplog.records if record.name == "streams.ops.app.run"] == [
        f"no broker answers at {place}; trying until it works"
    ]


async def test_what_is_given_up_at_the_end_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    _unless_cancelled(loop, {"message": "given up", "exception": asyncio.CancelledError()})
    assert not caplog.records
    _unless_cancelled(loop, {"message": "broke", "exception": ValueError()})
    assert [record.message for record in caplog.records] == ["broke"]
