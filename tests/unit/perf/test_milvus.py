"""The yardstick of perf.milvus: brute force, and vectors that lie as those of texts do."""

from __future__ import annotations

import numpy as np
import pytest

from perf.milvus import TOP, Rows, asked, clustered
from streams.ports.stores import Hit


def data(count: int = 400, agents: int = 4) -> Rows:
    owner = np.arange(count) % agents
    return Rows(clustered(count, 3), owner, [n.to_bytes(20, "big") for n in range(1, agents + 1)])


def test_vectors_are_of_length_one_and_the_same_for_a_seed() -> None:
    vectors = clustered(500, 1)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors, clustered(500, 1))
    assert not np.array_equal(vectors, clustered(500, 2))
    near = np.sort(vectors @ vectors.T, axis=1)[:, -2]
    assert np.median(near) > 0.5, "each has others near it"


async def test_recall_counts_what_brute_force_finds(capsys: pytest.CaptureFixture[str]) -> None:
    rows = data()

    async def half(query: np.ndarray, agent: int | None) -> list[Hit]:
        return [Hit(*key, 1.0) for key in sorted(rows.truth(query, agent))[: TOP // 2]]

    await asked("half", rows, rows.vectors[:8], half, pooled=False)
    assert " 0.500 " in capsys.readouterr().out
    assert all(len(rows.truth(rows.vectors[0], agent)) == TOP for agent in (None, 0, 3))
    assert {agent for agent, _ in rows.truth(rows.vectors[0], 2)} == {rows.agents[2]}


async def test_a_hit_of_another_agent_ends_it() -> None:
    rows = data()

    async def leaking(query: np.ndarray, agent: int | None) -> list[Hit]:
        return [Hit(rows.agents[(agent or 0) - 1], bytes(32), 1.0)]

    with pytest.raises(SystemExit, match="not asked of"):
        await asked("leaking", rows, rows.vectors[:1], leaking, pooled=False)
