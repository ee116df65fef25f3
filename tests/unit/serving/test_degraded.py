"""A gateway that does without its vector store: answers by words meanwhile, and as before afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.errors import StoreError
from streams.metrics import REGISTRY
from streams.retrieval.ranked import Question
from streams.serving.degraded import DegradableVectors
from streams.serving.probes import vector_store_probe
from streams.switches import VECTORS, Switch, Switches, change
from tests.serving_fakes import FakeVectorStore
from tests.unit.serving.world import ALICE, World, upsert


class Scene:
    def __init__(self, path: Path) -> None:
        self.path, self.now = path, 0.0
        self.store = FakeVectorStore()
        self.vectors = DegradableVectors(self.store, Switches(path, self._clock))
        self.world = World(index=self.vectors)  # type: ignore[arg-type]  # reads are all that is degraded
        self.vectors.changed = self.world.indexes.drop_all

    def _clock(self) -> float:
        self.now += 1
        return self.now

    async def found(self, question: str) -> list[tuple[str, float]]:
        ranked = await self.world.ranking.rank(Question(ALICE, question, 5, 0.1))
        return [(one.text, round(one.similarity, 3)) for one in ranked]

    def switch(self, *, on: bool) -> None:
        change(self.path, {VECTORS: Switch("it is away")} if on else None, () if on else (VECTORS,))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path / "switches.json")
    ref = scene.world.grow()
    await scene.world.remember(upsert(ALICE, ref, 0, "swapped 1 ETH for DAI"), upsert(ALICE, ref, 1, "voted on the treasury"))
    yield scene
    scene.world.close()


async def test_words_alone_while_the_store_is_away_and_all_of_it_when_it_is_back(scene: Scene) -> None:
    whole = await scene.found("swapped ETH")
    scene.store.broken = True
    scene.world.indexes.drop_all()
    with pytest.raises(StoreError):
        await scene.found("swapped ETH")
    probe = vector_store_probe(scene.vectors, scene.world.embedder.dimension)  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        await probe()
    scene.switch(on=True)
    assert (await scene.found("swapped ETH"))[0] == ("swapped 1 ETH for DAI", 0.0)
    assert await scene.found("zebra") == []
    assert "it is away" in await probe()  # a complaint, no failure
    assert REGISTRY.get_sample_value("monmouth_degraded", {"part": VECTORS}) == 1
    ref = scene.world.grow()
    scene.store.broken = False
    await scene.world.remember(upsert(ALICE, ref, 0, "swapped 2 ETH for DAI"))
    assert "swapped 2 ETH for DAI" in dict(await scene.found("swapped ETH"))
    scene.switch(on=False)
    after = await scene.found("swapped ETH")
    assert set(whole) <= set(after)
    assert all(similarity > 0 for text, similarity in after if "swapped" in text)  # the others follow on them
    assert "swapped 2 ETH for DAI" in dict(after)
    assert REGISTRY.get_sample_value("monmouth_degraded", {"part": VECTORS}) == 0
