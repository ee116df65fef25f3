"""The comparison of pooled and fresh connections says no where a pool saves nothing, and takes the bare exchange off both."""

from __future__ import annotations

import asyncio

from perf.pooling import Ask, Kind, compare


def taking(seconds: float) -> Ask:
    async def ask() -> None:
        await asyncio.sleep(seconds)

    return ask


async def test_a_pool_that_saves_nothing_misses_the_goal() -> None:
    assert not await compare(Kind("same", taking(0.004), taking(0.004)), 8, 4)
    assert await compare(Kind("saves", taking(0.002), taking(0.03)), 8, 4)


async def test_the_bare_exchange_is_no_overhead() -> None:
    pooled, fresh = taking(0.024), taking(0.050)
    assert not await compare(Kind("whole", pooled, fresh), 6, 3)
    assert await compare(Kind("beyond the floor", pooled, fresh, taking(0.020)), 6, 3)
