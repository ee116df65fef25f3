"""A node that dies: what was acknowledged is kept, and a store finds its way back."""

from __future__ import annotations

import asyncio

import pytest

from connectors.stores.cassandra import CassandraMemoryStore
from infra.cassandra import CassandraNode
from streams.core.presence import everything
from streams.errors import StoreError
from streams.settings import CassandraSettings
from tests.integration.stores.waiting import patiently
from tests.unit.stores.facts import ALICE, h, upsert

pytestmark = pytest.mark.cassandra
BATCH = 10


async def test_kill_9_of_the_node_loses_nothing_acknowledged(
    cassandra: CassandraNode, cassandra_settings: CassandraSettings
) -> None:
    store = CassandraMemoryStore(cassandra_settings.model_copy(update={"timeout_seconds": 2.0}))
    owned = await store.claim(b"memory/0")
    acknowledged: list[int] = []

    async def write() -> None:
        number = 0
        while True:
            await owned.apply([upsert(number * BATCH + n) for n in range(BATCH)])
            acknowledged.append(number)
            number += 1

    writing = asyncio.create_task(write())
    async with asyncio.timeout(60):
        while len(acknowledged) <= 5:
            await asyncio.sleep(0.05)
    await asyncio.to_thread(cassandra.kill)
    with pytest.raises(StoreError):
        await asyncio.wait_for(writing, 30)
    with pytest.raises(StoreError):
        await store.live_ids(ALICE, everything)
    await asyncio.to_thread(cassandra.start)
    await patiently(lambda: owned.apply([upsert(1_000_000)]))  # the same handle: the session finds the node again
    live = await store.live_ids(ALICE, everything)
    assert set(live) >= {h(number * BATCH + n) for number in acknowledged for n in range(BATCH)}
    page = await store.changes(ALICE, None, 1_000_000)
    assert set(page.ids) >= set(live) - {h(n) for n in range(len(acknowledged) * BATCH, (len(acknowledged) + 1) * BATCH)}
    await store.close()
