"""The embedding agent: what it writes, when it purges, what it refuses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from blake3 import blake3

from connectors.embedding.cache import CachedEmbedder
from connectors.embedding.model import WEIGHTS_SHA256, ModelFiles
from connectors.embedding.onnx_embedder import OnnxEmbedder
from streams.agents.base import Record
from streams.agents.embedding import EmbeddingAgent
from streams.core.block import BlockRef
from streams.errors import PoisonError, StoreError
from streams.ports.stores import VectorRow
from tests.unit.agents.embedding_rig import DictState, Rig, records
from tests.unit.stores.facts import ALICE, BOB, block, delete, h, upsert
from tests.unit.stores.reference import DictVectorStore

pytestmark = pytest.mark.model
B1, B2, B3 = block(1), block(2), block(3)


@pytest.fixture(scope="module")
def embedder(model_files: ModelFiles) -> CachedEmbedder:
    return CachedEmbedder(OnnxEmbedder(model_files))


@pytest.fixture
def rig(embedder: CachedEmbedder) -> Rig:
    return Rig(embedder)


async def test_an_amendment_has_no_vector(rig: Rig) -> None:
    amended = upsert(1, at=B1, form="AMENDMENT", content=b"no longer true")
    await rig.apply([amended, upsert(2, at=B1)], B1)
    assert set(rig.table) == {ALICE + h(2)}
    await rig.revert([amended], B1)
    assert set(rig.table) == {ALICE + h(2)}


async def test_a_memory_gets_the_vector_of_its_canonical_text(rig: Rig) -> None:
    await rig.apply([upsert(1, at=B1, content=b"  sent\n0x8BA1f109551bD432803012645Ac136ddd64DBA72 ")], B1)
    row = rig.table[ALICE + h(1)]
    text = "sent 0x8ba1f109"
    assert row["vector"] == rig.embedder.embed([text])[0].astype("<f4").tobytes()
    assert row["text_digest"] == blake3(text.encode()).digest()
    assert row["model_hash"].hex() == WEIGHTS_SHA256
    assert (row["agent"], row["memory_id"], row["block"]) == (ALICE, h(1), B1)
    assert row["backend"] == "onnxruntime-fp32" and row["model"].endswith("all-MiniLM-L6-v2")
    assert rig.held() == {ALICE + h(1)}


async def test_a_command_has_no_block(rig: Rig) -> None:
    await rig.apply([upsert(1)])
    assert rig.table[ALICE + h(1)]["block"] is None


async def test_what_is_not_text_has_no_vector(rig: Rig) -> None:
    image = upsert(1, at=B1, media_type="image/png", content=b"\x89PNG")
    await rig.apply([image, upsert(2, at=B1)], B1)
    assert rig.held() == {ALICE + h(2)}
    await rig.revert([image], B1)
    assert rig.held() == {ALICE + h(2)}


async def test_a_delete_by_command_purges_at_once_and_for_good(rig: Rig) -> None:
    await rig.apply([upsert(1, at=B1), upsert(1, BOB, at=B1)], B1)
    await rig.apply([delete(1)])
    assert rig.held() == {BOB + h(1)}
    await rig.revert([upsert(1, at=B1)], B1)
    await rig.apply([upsert(1, at=B1)], B1)
    assert rig.held() == {BOB + h(1)}


async def test_a_delete_by_command_may_come_first(rig: Rig) -> None:
    await rig.apply([delete(1)])
    await rig.apply([upsert(1, at=B1)], B1)
    assert rig.held() == set()


async def test_a_delete_by_the_chain_purges_when_final(rig: Rig) -> None:
    await rig.apply([upsert(1, at=B1)], B1)
    await rig.apply([delete(1, at=B2)], B2)
    assert rig.held() == {ALICE + h(1)}
    await rig.finalize(B1)
    assert rig.held() == {ALICE + h(1)}
    await rig.finalize(B3)
    assert rig.held() == set()
    assert not list(rig.state.scan(b"p"))
    await rig.finalize(B3)
    assert rig.held() == set()


async def test_a_delete_that_was_undone_purges_nothing(rig: Rig) -> None:
    await rig.apply([upsert(1, at=B1)], B1)
    before = rig.picture()
    await rig.apply([delete(1, at=B2)], B2)
    await rig.revert([delete(1, at=B2)], B2)
    assert rig.picture() == before
    await rig.finalize(B3)
    assert rig.held() == {ALICE + h(1)}


async def test_two_deletes_wait_apart(rig: Rig) -> None:
    await rig.apply([upsert(1, at=B1)], B1)
    await rig.apply([delete(1, at=B2, cause=1)], B2)
    await rig.apply([delete(1, at=B3, cause=2)], B3)
    await rig.revert([delete(1, at=B3, cause=2)], B3)
    await rig.finalize(B2)
    assert rig.held() == set()


async def test_an_undone_memory_loses_its_vector(rig: Rig) -> None:
    before = rig.picture()
    await rig.apply([upsert(1, at=B1), upsert(2, at=B1)], B1)
    await rig.revert([upsert(1, at=B1), upsert(2, at=B1)], B1)
    assert rig.picture() == before


async def test_texts_are_embedded_once_per_poll_and_off_the_loop(rig: Rig) -> None:
    batches: list[list[str]] = []

    class Watched(CachedEmbedder):
        def embed(self, texts: Sequence[str]) -> np.ndarray:
            batches.append(list(texts))
            return super().embed(texts)

    watched = Rig(Watched(rig.embedder))
    facts = [upsert(n, at=B1, content=b"same" if n < 3 else b"other") for n in range(5)]
    await watched.apply([*facts, delete(9, at=B1)], B1)
    assert batches == [["same", "other"]]
    assert len(watched.held()) == 5


async def test_what_is_read_again_is_not_computed_again(rig: Rig) -> None:
    """As when a partition moves to a worker that has no local state; unless the text, model or backend is another."""

    class Watched(CachedEmbedder):
        asked: list[str]

        def embed(self, texts: Sequence[str]) -> np.ndarray:
            self.asked += texts
            return super().embed(texts)

    facts = [upsert(n, at=B1) for n in range(4)]
    await rig.apply(facts, B1)
    moved = Watched(rig.embedder)
    again = Rig(moved)
    again.store = rig.store
    for backend, computed in (("onnxruntime-fp32", 0), ("onnxruntime-int8", 4), ("onnxruntime-int8", 0)):
        moved.backend, moved.asked = backend, []
        again.agent = EmbeddingAgent(0, DictState(), moved, rig.store)
        await again.apply(facts, B1)
        assert len(moved.asked) == computed
        assert {row["backend"] for row in again.table.values()} == {backend}
    assert again.held() == rig.held() == {ALICE + h(n) for n in range(4)}
    moved.asked = []
    changed = [upsert(n, at=B1, content=b"changed") for n in range(4)]
    await again.apply(changed, B1)
    assert moved.asked == ["changed"]


async def test_a_record_that_was_not_announced_is_embedded_all_the_same(rig: Rig) -> None:
    rig.take(rig.agent.apply(BlockRef.of(B1), records([upsert(1, at=B1)])))
    await rig.agent.flush()
    assert rig.held() == {ALICE + h(1)}


async def test_poison_is_refused_before_anything_changes(rig: Rig) -> None:
    stranger, wrong, empty = upsert(2), upsert(3), upsert(4)
    stranger["owner"] = BOB
    wrong["memory_id"] = h(9)
    empty["memory"] = None
    for bad in (stranger, wrong, empty):
        with pytest.raises(PoisonError, match="does not hold that memory"):
            rig.agent.apply(None, records([upsert(1), delete(5), bad]))
    marker = Record("memory.log", 0, 1, None, "Intent", {})
    with pytest.raises(PoisonError, match="Intent"):
        rig.agent.apply(None, [marker])
    await rig.agent.flush()
    assert rig.held() == set() and rig.state.rows == {}


async def test_a_store_that_fails_loses_no_write(embedder: CachedEmbedder) -> None:
    class Failing(DictVectorStore):
        broken = True

        async def upsert(self, rows: Sequence[VectorRow]) -> None:
            if self.broken:
                raise StoreError("out of order")
            await super().upsert(rows)

    store = Failing()
    agent = EmbeddingAgent(0, DictState(), embedder, store)
    await agent.prepare(records([upsert(1), delete(2)]))
    list(agent.apply(None, records([upsert(1), delete(2)])))
    with pytest.raises(StoreError):
        await agent.flush()
    store.broken = False
    await agent.flush()
    assert set(store.rows) == {(ALICE, h(1))}


async def test_old_work_done_again_takes_no_vector_out_that_may_come_back(rig: Rig) -> None:
    await rig.apply([upsert(1, at=B1), upsert(2, at=B1)], B1)
    again = EmbeddingAgent(0, DictState(), rig.embedder, rig.store)
    for step in (again.apply, again.revert, again.apply):
        list(step(BlockRef.of(B1), records([upsert(1, at=B1), upsert(2, at=B1)])))
        await again.flush_again()
        assert set(rig.store.rows) == {(ALICE, h(1)), (ALICE, h(2))}, "wherever it ends"
    list(again.apply(None, records([delete(1)])))
    await again.flush_again()
    await again.flush()
    assert set(rig.store.rows) == {(ALICE, h(2))}


async def test_an_owner_lost_on_the_way_leaves_no_vector_of_what_was_undone(rig: Rig) -> None:
    lost = EmbeddingAgent(0, DictState(), rig.embedder, rig.store)
    list(lost.apply(BlockRef.of(B1), records([upsert(1, at=B1)])))
    await lost.flush_again()
    assert lost.held == 1
    assert not rig.store.rows
    list(lost.revert(BlockRef.of(B1), records([upsert(1, at=B1)])))
    await lost.flush_again()
    await lost.flush()
    assert lost.held == 0
    assert not rig.store.rows
