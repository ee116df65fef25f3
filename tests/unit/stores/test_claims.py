"""Of several owners of a partition only the newest writes to a store, wherever the others wake up."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from streams.errors import FencedError, StoreError
from streams.ports.stores import VectorRow
from tests.conftest import ROOT
from tests.unit.stores.facts import ALICE, BOB, block, h, upsert

MAP = 16 << 20
OTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from connectors.stores import LmdbMemoryStore
asyncio.run(LmdbMemoryStore(Path(sys.argv[1]), 16 << 20).claim(b"memory/0"))
"""


def everything(_: bytes) -> bool:
    return True


async def test_a_former_owner_adds_and_takes_nothing(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path, MAP)
    old = await store.claim(b"memory/0")
    await old.apply([upsert(1, at=block(1))])
    new = await store.claim(b"memory/0")
    with pytest.raises(FencedError):
        await old.apply([upsert(2, at=block(2))])
    with pytest.raises(FencedError):
        await old.revert([upsert(1, at=block(1))])
    assert await store.live_ids(ALICE, everything) == [h(1)]
    await new.revert([upsert(1, at=block(1))])
    assert await old.live_ids(ALICE, everything) == []
    await store.close()


async def test_lanes_are_apart(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path, MAP)
    zero = await store.claim(b"memory/0")
    one = await store.claim(b"memory/1")
    await zero.apply([upsert(1)])
    await one.apply([upsert(2, BOB)])
    assert [agent async for agent in store.agents()] == [ALICE, BOB]
    await store.close()


async def test_a_claim_by_another_process_counts_and_lasts(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path, MAP)
    old = await store.claim(b"memory/0")
    subprocess.run([sys.executable, "-c", OTHER_PROCESS, str(tmp_path)], check=True, cwd=ROOT, timeout=60)
    with pytest.raises(FencedError):
        await old.apply([upsert(1)])
    await store.close()
    again = LmdbMemoryStore(tmp_path, MAP)
    third = await again.claim(b"memory/0")
    await third.apply([upsert(3)])
    assert await again.live_ids(ALICE, everything) == [h(3)]
    await again.close()


async def test_a_claimed_handle_ends_with_its_store(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path, MAP)
    claimed = await store.claim(b"memory/0")
    await claimed.close()
    await store.apply([upsert(1)])  # still open: the files are the store's
    await store.close()
    with pytest.raises(StoreError):
        await claimed.apply([upsert(2)])


async def test_a_former_owner_of_vectors(tmp_path: Path) -> None:
    store = LmdbVectorStore(tmp_path, dimension=4, map_size=MAP)
    old = await store.claim(b"embedding/0")
    row = VectorRow(ALICE, h(1), np.array([1, 0, 0, 0], dtype=np.float32))
    await old.upsert([row])
    new = await store.claim(b"embedding/0")
    with pytest.raises(FencedError):
        await old.delete([(ALICE, h(1))])
    assert await store.get(ALICE, h(1)) is not None
    await new.delete([(ALICE, h(1))])
    with pytest.raises(FencedError):
        await old.upsert([row])
    assert await store.get(ALICE, h(1)) is None
    await store.close()


async def test_a_store_keeps_its_identity_and_one_made_anew_has_another(tmp_path: Path) -> None:
    for kind in (LmdbMemoryStore, LmdbVectorStore):
        folder = tmp_path / kind.__name__
        store = kind(folder, map_size=MAP)
        first, claimed = store.identity, await store.claim(b"lane")
        assert claimed.identity == first
        assert len(first) == 16
        await store.close()
        store = kind(folder, map_size=MAP)
        assert store.identity == first
        await store.close()
        shutil.rmtree(folder)
        store = kind(folder, map_size=MAP)
        assert store.identity != first
        await store.close()
