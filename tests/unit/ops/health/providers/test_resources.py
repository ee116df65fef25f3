"""Processor and memory of the real machine, against limits that are met and limits that are not."""

from __future__ import annotations

import time

from streams.ops.health.providers.resources import Resources


async def test_limits_that_nothing_reaches() -> None:
    found = await Resources(101, 101, 102).probe()
    assert (found.status, found.score) == ("healthy", 1.0)
    assert "this process:" in found.detail


async def test_memory_above_its_limits() -> None:
    found = await Resources(101, 1e-9, 102).probe()
    assert (found.status, found.score) == ("degraded", 0.75)
    assert (await Resources(101, 1e-9, 1e-6).probe()).status == "failed"


async def test_a_busy_processor_is_measured() -> None:
    resources = Resources(1e-9, 101, 102)
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        pass
    assert (await resources.probe()).status == "degraded"  # and never worse, however busy
