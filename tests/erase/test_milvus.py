"""An erased agent in a real Milvus server. That its files forget shows ``python -m tests.erase.milvus``, which waits for it."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from infra.milvus import LocalMilvus
from streams.settings import Settings
from streams.vault.sealing import open_keys
from tests.erase.milvus import MESSAGES, canaries, erase, filled, ids, places
from tests.unit.stores.facts import ALICE, BOB
from tests.unit.stores.test_vector_contract import unit

pytestmark = pytest.mark.milvus
ROWS = 60
SEGMENTS = {"insert_log", "stats_log"}


async def test_no_row_of_an_erased_agent_is_left_and_no_id_was_ever_in_the_files(milvus: LocalMilvus, tmp_path: Path) -> None:
    keys = open_keys(Settings(state_dir=tmp_path))
    base = milvus.folder / "data"
    async with filled(milvus.url, f"erase_{uuid.uuid4().hex[:8]}", keys, ROWS) as store:
        name = store.name_of(ALICE)
        before = places(base, canaries(ROWS))
        assert before.keys() >= SEGMENTS | {MESSAGES}, "what is looked for would be found"
        assert not places(base, ids()), "ids in the clear"
        said = await erase(store, keys, ROWS)
        assert "in its own time" in said
        left = store._client.query(
            store._collection, filter=f'agent == "{name}"', output_fields=["key"], consistency_level="Strong"
        )
        assert left == []
        assert await store.search(ALICE, unit(1)[0], 1_000) == []
        assert len(await store.search(BOB, unit(1)[0], 1_000)) == ROWS
        store._client.drop_collection(store._collection)
    keys.close()
