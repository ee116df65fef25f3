"""The cue of the graph in a ranking: it lifts what names a close address, filters nothing, and may be missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.errors import MonmouthError
from streams.ports.stores import StoredMemory
from streams.retrieval.ranked import Question, Ranked
from streams.serving.graph.ranking import BONUS, GraphRanking
from streams.serving.graph.reads import GraphReads
from tests.unit.serving.graph.dealings import Dealings, paid
from tests.unit.serving.world import ALICE, BOB, World, upsert

CAROL = b"\xc0" * 20


class Fixed:
    """A ranking that finds three memories alike."""

    def __init__(self, world: World) -> None:
        self.asked: list[Question] = []
        texts = ["paid the rent", f"paid 0x{CAROL[:4].hex()}… again", f"paid 0x{BOB[:4].hex()}…"]
        memories = [upsert(ALICE, world.blocks[0], i, text)["memory"] for i, text in enumerate(texts)]
        found = [Ranked(m, StoredMemory(m, None), t, 0.5, 0.5) for m, t in zip(memories, texts, strict=True) if m]  # type: ignore[arg-type]
        self.found = sorted(found, key=lambda one: one.memory["id"])

    async def rank(self, question: Question) -> list[Ranked]:
        self.asked.append(question)
        return self.found


@pytest.fixture
def setting(world: World) -> tuple[Fixed, GraphRanking]:
    dealings = Dealings(world)
    dealings.block(paid(BOB, CAROL), paid(ALICE, BOB))
    inner = Fixed(world)
    return inner, GraphRanking(inner, GraphReads(world.chain, world.edges))


def about(text: str) -> Question:
    return Question(ALICE, text, 2, 0.1)


async def test_a_memory_of_a_close_address_comes_first(setting: tuple[Fixed, GraphRanking]) -> None:
    inner, ranking = setting
    found = await ranking.rank(about(f"what of 0x{BOB.hex()}?"))
    assert "again" in found[0].text
    assert found[0].score == pytest.approx(0.5 + 0.6 * BONUS, abs=1e-6)
    assert {one.memory["id"] for one in found} == {one.memory["id"] for one in inner.found}
    assert [one.score for one in found[1:]] == [0.5, 0.5]
    assert inner.asked == [replace(about(f"what of 0x{BOB.hex()}?"), wanted=4)]


async def test_the_order_of_what_is_not_lifted_stays(setting: tuple[Fixed, GraphRanking]) -> None:
    inner, ranking = setting
    plain = [one for one in inner.found if "again" not in one.text]
    (close,) = [one for one in inner.found if "again" in one.text]
    inner.found = [replace(plain[0], score=0.51), replace(plain[1], score=0.9), replace(close, score=0.5)]  # spread out
    found = await ranking.rank(about(f"what of 0x{BOB.hex()}?"))
    assert [one.memory["id"] for one in found] == [one.memory["id"] for one in (close, *plain)]
    inner.found = [replace(plain[0], score=0.9), replace(plain[1], score=0.6), replace(close, score=0.5)]
    found = await ranking.rank(about(f"what of 0x{BOB.hex()}?"))
    assert [one.memory["id"] for one in found] == [one.memory["id"] for one in (*plain, close)]


@pytest.mark.parametrize("text", ["what of the rent?", f"what of 0x{'77' * 20}?"])
async def test_a_question_without_a_known_address_is_left_alone(setting: tuple[Fixed, GraphRanking], text: str) -> None:
    inner, ranking = setting
    assert await ranking.rank(about(text)) is inner.found
    assert inner.asked == [about(text)]


async def test_a_graph_that_cannot_be_read_takes_only_the_cue(
    setting: tuple[Fixed, GraphRanking], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, ranking = setting

    async def broken(*_: object) -> dict[bytes, float]:
        raise MonmouthError("the tail broke")

    monkeypatch.setattr(GraphReads, "related", broken)
    assert await ranking.rank(about(f"what of 0x{BOB.hex()}?")) is inner.found
