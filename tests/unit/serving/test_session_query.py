"""Questions to what a session holds: answered from it alone, for its owner and whoever takes part, and for nobody else."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from streams.core.moment import Moment
from streams.core.session import zones
from streams.retrieval.ranked import Question, Ranked
from streams.serving.context.finder import ContextFinder
from streams.serving.context.request import ContextRequest
from streams.serving.retrieval.zone import INLINE, ZoneRanking
from streams.settings import RagSettings
from tests.identity import Member, member
from tests.unit.serving.folding import opened
from tests.unit.serving.world import ALICE, BOB, World, client, upsert

A, B = f"/v1/agents/0x{ALICE.hex()}", f"/v1/agents/0x{BOB.hex()}"
NOW = 1_800_000_000


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the gateway's clock says."""
    now = [NOW]
    monkeypatch.setattr("time.time", lambda: float(now[0]))
    return now


async def kept(http: httpx.AsyncClient, session: str, *texts: str, **more: Any) -> None:
    for text in texts:
        answer = await http.post(f"{A}/sessions/{session}/memories", json={"text": text, "wait": 1, **more})
        assert answer.status_code == 201, answer.text


async def ask(http: httpx.AsyncClient, session: str, query: str, **more: Any) -> list[str]:
    answer = await http.post(f"{A}/sessions/{session}/query", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return [item["text"] for item in answer.json()["items"]]


async def test_the_nearest_of_what_a_session_holds_and_nothing_beside_it(folded: World) -> None:
    await folded.remember(upsert(ALICE, folded.grow(), 0, "the usdc pool is deep", timestamp=NOW))
    async with client(folded) as http:
        session, other = await opened(http), await opened(http)
        await kept(http, session, "the usdc pool is thin today", "gas is dear")
        await kept(http, other, "the usdc pool of the other task")
        assert await ask(http, session, "usdc pool") == ["the usdc pool is thin today", "gas is dear"]  # it follows on it
        assert await ask(http, session, "usdc pool", min_similarity=0.1) == ["the usdc pool is thin today"]
        assert await ask(http, other, "usdc pool") == ["the usdc pool of the other task"]
        assert await ask(http, session, "usdc pool", max_results=1, min_similarity=-1) == ["the usdc pool is thin today"]
        outside = (await http.post(f"{A}/query", json={"query": "usdc pool"})).json()
        assert [item["text"] for item in outside["items"]] == ["the usdc pool is deep"]


async def test_merged_sessions_answer_as_one_and_an_ended_one_is_silent(folded: World) -> None:
    async with client(folded) as http:
        one, two = await opened(http), await opened(http)
        await kept(http, one, "swapped eth for dai")
        await kept(http, two, "swapped eth for usdc")
        await http.post(f"{A}/sessions/{two}/merge/{one}")
        assert sorted(await ask(http, two, "swapped eth")) == ["swapped eth for dai", "swapped eth for usdc"]
        await http.delete(f"{A}/sessions/{two}")
        assert await ask(http, two, "swapped eth") == []
        assert len((await http.post(f"{A}/query", json={"query": "swapped eth"})).json()["items"]) == 2


async def test_by_what_was_known_then(folded: World, clock: list[int]) -> None:
    async with client(folded) as http:
        session = await opened(http)
        await kept(http, session, "swapped eth for dai")
        clock[0] += 100
        await kept(http, session, "swapped eth for usdc")
        assert len(await ask(http, session, "swapped eth")) == 2
        assert await ask(http, session, "swapped eth", as_of_time=NOW + 50) == ["swapped eth for dai"]
        assert await ask(http, session, "swapped eth", as_of_time=NOW - 1) == []
        folded.grow(time=NOW + 50)
        assert await ask(http, session, "swapped eth", as_of_block=1) == ["swapped eth for dai"]
        listed = (await http.get(f"{A}/sessions/{session}/memories", params={"as_of_block": 1})).json()
        assert [item["text"] for item in listed["items"]] == ["swapped eth for dai"]
        future = await http.post(f"{A}/sessions/{session}/query", json={"query": "x", "as_of_block": 99})
        assert future.status_code == 400


async def test_filters_budget_and_one_text(folded: World) -> None:
    async with client(folded) as http:
        session = await opened(http)
        await kept(http, session, "swap one", type="SEMANTIC", tags=["a"])
        await kept(http, session, "swap two", importance=0.9)
        assert await ask(http, session, "swap", filter={"types": ["SEMANTIC"]}) == ["swap one"]
        assert await ask(http, session, "swap", filter={"min_importance": 0.8}) == ["swap two"]
        assert await ask(http, session, "swap", filter={"tags": ["b"]}) == []
        assert len(await ask(http, session, "swap", max_tokens=2)) == 1
        answer = await http.post(f"{A}/sessions/{session}/query", json={"query": "swap", "render": "plain"})
        assert "swap one" in answer.json()["prompt"]


async def test_many_memories_are_ranked_off_the_loop_alike(folded: World) -> None:
    async with client(folded) as http:
        session = await opened(http)
        await kept(http, session, *[f"note {n} of nothing" for n in range(INLINE)], "swapped eth for dai")
        assert await ask(http, session, "swapped eth", max_results=1) == ["swapped eth for dai"]


async def test_a_collaborator_may_ask_and_an_outsider_learns_nothing(folded: World) -> None:
    bob, carol = member(1), member(2)
    async with client(folded) as http:
        session = await opened(http, collaborators=[f"0x{bob.agent.hex()}"])
        await kept(http, session, "the key is under the mat")

    def inside(who: Member, owner: bytes = ALICE, name: str = session) -> str:
        return f"/v1/agents/0x{who.agent.hex()}/shared/0x{owner.hex()}/sessions/{name}/query"

    question = {"query": "where is the key", "min_similarity": -1}
    async with client(folded, folded.token_of(bob)) as http:
        answer = await http.post(inside(bob), json=question)
        assert answer.status_code == 200, answer.text
        (item,) = answer.json()["items"]
        assert (item["text"], item["validity"]) == ("the key is under the mat", None)
        assert answer.json()["agent"] == f"0x{ALICE.hex()}"
        assert (await http.post(f"{A}/sessions/{session}/query", json=question)).status_code == 403, "by the owner's own route"
    async with client(folded, folded.token_of(carol)) as http:
        refused = [
            await http.post(inside(carol), json=question),
            await http.post(inside(carol, name=str(uuid.UUID(int=9))), json=question),
            await http.post(inside(carol, owner=BOB), json=question),
        ]
        assert {(each.status_code, each.text) for each in refused} == {(403, refused[0].text)}, "the same whether it is there"
        assert "key" not in refused[0].text
        for path in (inside(bob), f"{A}/sessions/{session}/query"):
            assert (await http.post(path, json=question)).status_code == 403
        mine = await http.post(f"/v1/agents/0x{carol.agent.hex()}/shared/query", json=question)
        assert mine.json()["items"] == []
    async with client(folded) as http:
        await http.patch(f"{A}/sessions/{session}", json={"collaborators": []})
        assert (await http.post(inside(bob), json=question)).status_code == 403, "no longer"


async def test_a_session_of_this_name_of_another_agent_is_another_one(folded: World) -> None:
    async with client(folded) as http:
        name = str(uuid.UUID(int=7))
        await opened(http, ALICE, id=name)
        await opened(http, BOB, id=name)
        await kept(http, name, "of alice")
        answer = await http.post(f"{B}/sessions/{name}/query", json={"query": "of alice", "min_similarity": -1})
        assert answer.json()["items"] == []


@pytest.mark.parametrize(
    ("session", "body", "status"),
    [
        (uuid.UUID(int=5), {"query": "x"}, 404),
        ("none", {"query": "x"}, 400),
        (uuid.UUID(int=5), {}, 422),
        (uuid.UUID(int=5), {"query": ""}, 422),
        (uuid.UUID(int=5), {"query": "x", "window": {"kind": "actions"}}, 422),
        (uuid.UUID(int=5), {"query": "x", "proofs": True}, 422),
        (uuid.UUID(int=5), {"query": "x", "max_results": 1_000_000}, 422),
    ],
)
async def test_refusals(folded: World, session: Any, body: dict[str, Any], status: int) -> None:
    async with client(folded) as http:
        answer = await http.post(f"{A}/sessions/{session}/query", json=body)
    assert answer.status_code == status, answer.text


async def test_what_lies_outside_moves_no_score(folded: World) -> None:
    async with client(folded) as http:
        session = await opened(http)
        await kept(http, session, "swapped eth for dai", "lent dai out")
        before = (await http.post(f"{A}/sessions/{session}/query", json={"query": "dai", "min_similarity": -1})).json()
        await folded.remember(*[upsert(ALICE, folded.grow(), 0, f"dai dai {n}", timestamp=NOW) for n in range(5)])
        after = (await http.post(f"{A}/sessions/{session}/query", json={"query": "dai", "min_similarity": -1})).json()
    assert before["items"] == after["items"] != []


async def test_a_ranking_that_strays_from_the_zone_is_held_back(folded: World) -> None:
    """The finder decides by where a memory lies, whatever a ranking says."""
    fact = upsert(ALICE, folded.grow(), 0, "outside", timestamp=NOW)
    await folded.remember(fact)
    (row,) = await folded.reads.rows(ALICE, [fact["memory_id"]])
    assert row is not None and row.memory is not None
    stray = Ranked(row.memory, row, "outside", 1.0, 1.0)

    class Stray:
        async def rank(self, question: Question) -> list[Ranked]:
            return [stray]

    finder = ContextFinder(folded.reads, Stray(), folded.vectors, RagSettings())
    zone = zones([], uuid.UUID(int=1).bytes)
    assert (await finder.find(ContextRequest(ALICE, "outside", zone=zone))).items == []
    assert [item.text for item in (await finder.find(ContextRequest(ALICE, "outside"))).items] == ["outside"]


async def test_no_zone_is_no_question_for_it(folded: World) -> None:
    ranking = ZoneRanking(folded.reads, folded.index, folded.vectors)
    with pytest.raises(ValueError, match="names it"):
        await ranking.rank(Question(ALICE, "x", 1, 0.0, when=Moment(NOW)))
