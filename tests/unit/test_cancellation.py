"""A cancellation nobody asked for is an error of the client; one that was asked for ends the task."""

from __future__ import annotations

import asyncio

import pytest

from streams.cancellation import end, stray_cancellation_is_an_error
from streams.ports.log import LogError
from streams.runtime.kafka.names import translated


async def waiting(shared: asyncio.Future[None]) -> None:
    """As product code waits for the client."""
    with translated("waiting"):
        await asyncio.wait_for(asyncio.shield(shared), 30)


async def test_a_future_that_another_waiter_cancelled_is_an_error_that_passes() -> None:
    shared: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(waiting(shared))
    await asyncio.sleep(0)
    shared.cancel()
    with pytest.raises(LogError, match="gave up what was waited for"):
        await task


async def test_a_task_that_is_told_to_stop_does() -> None:
    shared: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    for _ in range(2):
        task = asyncio.create_task(waiting(shared))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()


async def test_a_deadline_around_it_stays_a_deadline() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            with stray_cancellation_is_an_error():
                await asyncio.sleep(5)


async def test_a_task_that_drops_a_cancellation_is_ended_all_the_same() -> None:
    dropped = 0

    async def deaf() -> None:
        nonlocal dropped
        while True:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                dropped += 1
                if dropped == 3:
                    raise

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await end(task, every=0.01)
    assert task.cancelled() and dropped == 3
