"""Sessions, moments, windows and what others share, driven by the protocol's stock client."""

from __future__ import annotations

import uuid

from streams.serving.app import create_app
from tests.identity import member
from tests.unit.serving.mcp.test_stdio import AGENT, refused, stdio, told
from tests.unit.serving.served import served
from tests.unit.serving.world import ALICE, World, client, upsert


async def test_a_session_from_its_opening_to_its_end(folded: World) -> None:
    async with served(create_app(folded.services)) as url, stdio(url, "--agent", AGENT) as model:
        first = told(await model.call_tool("open_session", {"goal": "trade", "seconds": 900}))
        assert (first["state"], first["goal"], first["visible"]) == ("OPEN", "trade", True)
        one, two = first["id"], told(await model.call_tool("open_session", {}))["id"]
        for session, content in ((one, "the usdc pool is thin"), (one, "gas is dear"), (two, "the dai pool is deep")):
            assert told(await model.call_tool("store_in_session", {"session_id": session, "content": content}))["visible"]
        assert told(await model.call_tool("query_context", {"query": "usdc pool"}))["items"] == []
        asked = {"session_id": one, "query": "usdc pool", "max_results": 1}
        assert [item["text"] for item in told(await model.call_tool("query_session", asked))["items"]] == [
            "the usdc pool is thin"
        ]
        assert told(await model.call_tool("query_session", {**asked, "as_of_time": 5}))["items"] == []
        read = told(await model.call_tool("read_session", {"session_id": one}))
        assert {item["text"] for item in read["items"]} == {"the usdc pool is thin", "gas is dear"}
        assert told(await model.call_tool("read_session", {"session_id": one, "as_of_time": 5}))["items"] == []
        merged = told(await model.call_tool("merge_sessions", {"session_id": one, "other_id": two}))
        assert merged["count"] == 3
        states = {each["id"]: each["state"] for each in told(await model.call_tool("list_sessions", {}))["items"]}
        assert states == {one: "OPEN", two: "MERGED"}
        assert told(await model.call_tool("close_session", {"session_id": one, "promote": True}))["state"] == "CLOSED"
        kept = told(await model.call_tool("query_context", {"query": "usdc pool", "max_results": 1}))
        assert [item["text"] for item in kept["items"]] == ["the usdc pool is thin"]
        refused(await model.call_tool("store_in_session", {"session_id": one, "content": "late"}), "bad_request")
        refused(await model.call_tool("query_session", {"session_id": str(uuid.UUID(int=1)), "query": "x"}), "not_found")
        refused(await model.call_tool("open_session", {"seconds": 0}), "invalid")


async def test_a_collaborator_takes_part_and_an_outsider_does_not(folded: World) -> None:
    bob, carol = member(1), member(2)
    async with served(create_app(folded.services)) as url:
        async with stdio(url, "--agent", AGENT) as model:
            session = told(await model.call_tool("open_session", {"collaborators": [bob.name]}))["id"]
            told(await model.call_tool("store_in_session", {"session_id": session, "content": "the key is under the mat"}))
        inside = {"session_id": session, "owner": AGENT}
        async with stdio(url, "--agent", bob.name, token=folded.token_of(bob)) as model:
            told(await model.call_tool("store_in_session", {**inside, "content": "bob took the key"}))
            assert len(told(await model.call_tool("read_session", inside))["items"]) == 2
            found = told(await model.call_tool("query_session", {**inside, "query": "where is the key", "min_similarity": -1}))
            assert len(found["items"]) == 2
            refused(await model.call_tool("close_session", {"session_id": session, "agent": AGENT}), "forbidden")
        async with stdio(url, "--agent", carol.name, token=folded.token_of(carol)) as model:
            refused(await model.call_tool("query_session", {**inside, "query": "key"}), "forbidden")
            refused(await model.call_tool("read_session", inside), "forbidden")
            refused(await model.call_tool("store_in_session", {**inside, "content": "x"}), "forbidden")


async def test_moments_and_windows(world: World) -> None:
    first = upsert(ALICE, world.grow(time=100), 0, "swapped eth for dai", timestamp=100)
    second = upsert(ALICE, world.grow(time=200), 0, "swapped eth for usdc", importance=0.9, timestamp=200)
    await world.remember(first, second)
    names = ["0x" + fact["memory_id"].hex() for fact in (first, second)]
    async with served(create_app(world.services)) as url, stdio(url, "--agent", AGENT) as model:
        for moment in ({"as_of_block": 1}, {"as_of_time": 150}):
            found = told(await model.call_tool("query_context", {"query": "swapped eth", **moment}))
            assert [item["citation"]["memory_id"] for item in found["items"]] == names[:1]
            assert [item["id"] for item in told(await model.call_tool("list_memories", moment))["items"]] == names[:1]
            refused(await model.call_tool("get_memory", {"memory_id": names[1], **moment}), "not_found")
            assert told(await model.call_tool("get_memory", {"memory_id": names[0], **moment}))["id"] == names[0]
        assert told(await model.call_tool("list_memories", {"valid_at": 150}))["items"] != []
        for window, expected in (
            ({"kind": "temporal", "seconds": 10}, names[1:]),
            ({"kind": "actions", "count": 1}, names[1:]),
            ({"kind": "priority", "min_importance": 0.8}, names[1:]),
            ({"kind": "semantic", "tags": ["swap"]}, names[::-1]),
        ):
            laid = told(await model.call_tool("query_context", {"window": window}))
            assert [item["citation"]["memory_id"] for item in laid["items"]] == expected, window
        page = told(await model.call_tool("query_context", {"window": {"kind": "semantic", "tags": ["swap"], "size": 1}}))
        again = {"window": {"kind": "semantic", "tags": ["swap"], "size": 1}, "cursor": page["next"]}
        older = told(await model.call_tool("query_context", again))
        assert [item["citation"]["memory_id"] for item in older["items"]] == names[:1]
        refused(await model.call_tool("query_context", {"window": {"kind": "dream"}}), "invalid")
        refused(await model.call_tool("query_context", {}), "invalid")
        refused(await model.call_tool("list_memories", {"as_of_block": 99}), "bad_request")


async def test_what_others_share_is_asked_of_with_ones_own(world: World) -> None:
    alice, bob, carol = member(1), member(2), member(3)
    await world.remember(
        upsert(alice.agent, world.grow(), 0, "alice swapped eth"), upsert(bob.agent, world.grow(), 0, "bob swapped eth")
    )
    token = world.token_of(bob)
    async with client(world, world.token_of(alice)) as http:
        granted = await http.post(f"/v1/agents/{alice.name}/grants", json={"grantee": bob.name, "rights": ["read"], "wait": 1})
        assert granted.is_success, granted.text
    async with served(create_app(world.services)) as url:
        async with stdio(url, "--agent", bob.name, token=token) as model:
            found = told(await model.call_tool("query_shared", {"query": "swapped eth"}))
            assert {item["owner"] for item in found["items"]} == {alice.name, bob.name}
        async with stdio(url, "--agent", carol.name, token=world.token_of(carol)) as model:
            refused(await model.call_tool("query_shared", {"query": "swapped eth", "owners": [alice.name]}), "forbidden")
            assert told(await model.call_tool("query_shared", {"query": "swapped eth"}))["items"] == []
