"""The clock of the board: what goes wrong with it is told, and it goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from streams.errors import MonmouthError
from streams.metrics import REGISTRY
from streams.serving.ops import operations as module
from streams.serving.ops.operations import Operations
from streams.serving.probes import Probes, board_probe
from streams.settings import KafkaSettings


@pytest.fixture
async def ticking(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operations]:
    monkeypatch.setattr(module, "TICK", 0.001)
    found = Operations(KafkaSettings())
    found.tail.complaint = ""
    found.tail.caught_up.set()
    clock = asyncio.create_task(found._tick())
    yield found
    assert not clock.done()
    clock.cancel()
    await asyncio.gather(clock, return_exceptions=True)


async def test_a_time_that_the_board_cannot_take_is_told_until_it_takes_one(
    ticking: Operations, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = REGISTRY.get_sample_value("monmouth_dashboard_clock_failures_total") or 0
    probes = Probes({"dashboard": board_probe(lambda: ticking.broken)})
    advance, broken = ticking.board.advance, True

    def advancing(now_ms: int) -> None:
        if broken:
            raise OverflowError("of a sum")
        advance(now_ms)

    monkeypatch.setattr(ticking.board, "advance", advancing)
    async with asyncio.timeout(20):
        while (REGISTRY.get_sample_value("monmouth_dashboard_clock_failures_total") or 0) < before + 3:
            await asyncio.sleep(0.001)
        assert ticking.complaint == ticking.broken == "the dashboard stands still: OverflowError"
        part = (await probes.components())["dashboard"]
        assert (part.status, part.message) == ("degraded", "the dashboard stands still: OverflowError")
        broken = False
        while ticking.complaint:
            await asyncio.sleep(0.001)
        while not ticking.board.now_ms:
            await asyncio.sleep(0.001)
    assert ticking.broken == ""
    told = [record for record in caplog.records if record.levelno == logging.ERROR and "cannot take the time" in record.message]
    assert len(told) == 1, "not once a second"


async def test_reading_that_has_ended_is_told() -> None:
    operations = Operations(KafkaSettings())
    assert (operations.broken, operations.complaint) == ("", "starting")
    operations.tail.failure = MonmouthError("reading broke")
    assert operations.broken == "reading broke"
