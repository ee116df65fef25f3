"""An erased agent in the files of a real Milvus server. ``python -m tests.erase.milvus`` waits for its message log too."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from infra.milvus import LocalMilvus
from streams.settings import Settings
from streams.vault.sealing import open_keys
from tests.erase.milvus import MESSAGES, canaries, erase, filled, gone, ids, places
from tests.unit.stores.facts import BOB
from tests.unit.stores.test_vector_contract import unit

pytestmark = [pytest.mark.milvus, pytest.mark.slow]
ROWS = 120
SEGMENTS = {"insert_log", "stats_log"}


async def test_nothing_of_an_erased_agent_is_left_in_the_servers_segments(milvus: LocalMilvus, tmp_path: Path) -> None:
    keys = open_keys(Settings(state_dir=tmp_path))
    base = milvus.folder / "data"
    async with filled(milvus.url, f"erase_{uuid.uuid4().hex[:8]}", keys, ROWS) as store:
        wanted = canaries(ROWS)
        before = places(base, wanted)
        assert before.keys() >= SEGMENTS, "what is looked for would be found"
        assert before[MESSAGES]
        assert not places(base, ids()), "ids in the clear"
        said = await erase(store, keys, ROWS)
        assert "in its own time" in said
        await gone(base, wanted, 90, passing_over=[MESSAGES])
        assert len(await store.search(BOB, unit(1)[0], 1_000)) == ROWS
        store._client.drop_collection(store._collection)
    keys.close()
