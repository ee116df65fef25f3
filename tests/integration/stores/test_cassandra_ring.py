"""Two real nodes: what can be promised when one is lost is kept, and what cannot is refused.

It takes half a minute, so it runs by command:

    MONMOUTH_RING=1 .venv/bin/python -m pytest tests/integration/stores/test_cassandra_ring.py
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.stores.cassandra import CassandraMemoryStore
from infra.broker.errors import JarsUnavailableError, JavaError
from infra.cassandra import LocalRing
from streams.core.presence import everything
from streams.errors import StoreError
from streams.settings import CassandraSettings
from tests.availability import unavailable
from tests.integration.stores.waiting import patiently
from tests.unit.stores.facts import ALICE, h, upsert

ASKED = "MONMOUTH_RING"
pytestmark = [
    pytest.mark.cassandra,
    pytest.mark.slow,
    pytest.mark.skipif(ASKED not in os.environ, reason=f"takes two nodes and half a minute; set {ASKED} to run it"),
]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Iterator[LocalRing]:
    made = LocalRing(tmp_path_factory.mktemp("ring"), 2, jars=jars_dir, heap="256m")
    try:
        made.start()
    except (JarsUnavailableError, JavaError) as error:
        unavailable(f"no Cassandra: {error}")
    try:
        yield made
    finally:
        for node in made.nodes:
            node.kill()


async def test_two_nodes_go_on_answering_when_one_is_lost(ring: LocalRing) -> None:
    """Two copies, written to both, read from one: what docs/deploy.md says of two nodes."""
    said = CassandraSettings(
        contact_points=ring.addresses,
        port=ring.port,
        keyspace="ring",
        replication={"datacenter1": 2},
        read_consistency="LOCAL_ONE",
        write_consistency="LOCAL_QUORUM",
        timeout_seconds=3.0,
    )
    store = CassandraMemoryStore(said)
    strict = CassandraMemoryStore(said.model_copy(update={"read_consistency": "LOCAL_QUORUM"}))
    owned = await patiently(lambda: store.claim(b"memory/0"))  # the nodes have just met
    await owned.apply([upsert(n) for n in range(50)])
    await patiently(lambda: strict.version(ALICE))

    first, second = ring.nodes
    await asyncio.to_thread(second.kill)
    whole = [h(n) for n in range(50)]
    for _ in range(20):  # whichever node is asked
        assert await store.live_ids(ALICE, everything) == whole
    later = CassandraMemoryStore(said)
    assert await later.live_ids(ALICE, everything) == whole, "one that starts meanwhile answers too"
    await later.close()
    with pytest.raises(StoreError):
        await owned.apply([upsert(50)])
    with pytest.raises(StoreError):
        await store.claim(b"memory/1")
    with pytest.raises(StoreError):
        await strict.live_ids(ALICE, everything)
    taken = upsert(60)

    await asyncio.to_thread(second.start)
    await patiently(lambda: owned.apply([upsert(50)]))
    await owned.apply([taken])
    assert set(await store.live_ids(ALICE, everything)) >= {*whole, h(50), h(60)}

    await asyncio.to_thread(first.kill)  # the other one has all of it too, what came after its return included
    await patiently(lambda: store.live_ids(ALICE, everything))
    for _ in range(20):
        assert set(await store.live_ids(ALICE, everything)) >= {*whole, h(50), h(60)}
    for one in (store, strict):
        await one.close()
