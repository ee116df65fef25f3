"""One faiss index over many agents says what the store says, of those asked of and no other."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from connectors.stores.faiss_search import FaissSearch
from connectors.stores.pooled import MergedSearch
from streams.errors import ConfigurationError
from streams.ports.stores import VectorRow
from tests.serving_fakes import FakeVectorStore

AGENTS = [bytes([i]) * 20 for i in range(3)]
WIDTH = 8


def row(agent: int, memory: int) -> VectorRow:
    vector = np.random.default_rng(100 * agent + memory).standard_normal(WIDTH).astype(np.float32)
    return VectorRow(AGENTS[agent], bytes([memory]) * 32, vector / np.linalg.norm(vector))


def query() -> np.ndarray:
    return row(9 % 3, 200).vector


STEPS = st.lists(st.tuples(st.sampled_from(["put", "delete", "ask"]), st.integers(0, 2), st.integers(0, 9)), max_size=30)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.sets(st.integers(0, 2)))
async def test_equal_to_the_stores_own_search_after_any_history(steps: list[tuple[str, int, int]], asked: set[int]) -> None:
    store = FakeVectorStore()
    search, agents = FaissSearch(store, WIDTH), {AGENTS[i] for i in asked}
    for step, agent, memory in [*steps, ("ask", 0, 0)]:
        if step == "put":
            await store.upsert([row(agent, memory)])
        elif step == "delete":
            await store.delete([(AGENTS[agent], bytes([memory]) * 32)])
        else:
            found = await search.nearest(agents, query(), 5)
            expected = await MergedSearch(store).nearest(agents, query(), 5)
            assert [(hit.agent, hit.memory_id) for hit in found] == [(hit.agent, hit.memory_id) for hit in expected]
            assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-5)


async def test_bounded_and_forgetful() -> None:
    store = FakeVectorStore()
    await store.upsert([row(agent, memory) for agent in range(3) for memory in range(4)])
    search = FaissSearch(store, WIDTH, capacity=8)
    for agent in AGENTS:
        assert len(await search.nearest({agent}, query(), 9)) == 4
        assert len(search) <= 8
    with pytest.raises(ConfigurationError, match="more than the 8"):
        await search.nearest(set(AGENTS), query(), 9)
    assert len(search) == 0
    assert len(await search.nearest({AGENTS[0]}, query(), 9)) == 4
    search.forget(AGENTS[0])
    search.forget(AGENTS[0])
    assert len(search) == 0
    assert await search.nearest(set(), query(), 9) == []


async def test_a_store_that_cannot_tell_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: object) -> None:
        return None

    store = FakeVectorStore()
    monkeypatch.setattr(store, "changes", none)
    with pytest.raises(ConfigurationError, match="cannot tell"):
        await FaissSearch(store, WIDTH).nearest({AGENTS[0]}, query(), 1)
