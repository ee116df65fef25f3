"""Clients are stopped, whatever they raise, and whoever stops them goes on."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer

from streams.cluster.ending import ended


class Client:
    def __init__(self, failing: type[BaseException] | None = None) -> None:
        self.failing = failing
        self.stopped = False

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.stopped = True
        if self.failing is not None:
            raise self.failing


@pytest.mark.parametrize("failing", [asyncio.CancelledError, OSError, None])
async def test_one_that_fails_keeps_no_other_from_its_end(failing: type[BaseException] | None) -> None:
    clients = [Client(failing), Client()]
    await ended(*(cast("AIOKafkaConsumer", client) for client in clients))
    assert all(client.stopped for client in clients)


async def test_also_where_the_caller_ends() -> None:
    clients = [Client(asyncio.CancelledError), Client()]

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await ended(*(cast("AIOKafkaConsumer", client) for client in clients))

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait([working])
    assert working.cancelled()
    assert all(client.stopped for client in clients)
