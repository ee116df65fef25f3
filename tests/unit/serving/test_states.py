"""The lattice queries over REST: states, verification, transitions, sync, checkpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from schemas.records import MemoryFact
from streams.core.block import BlockRef
from streams.serving.progress import Standing
from streams.serving.roots import Root
from streams.serving.verify import ProofRefusedError
from streams.serving.verify_context import verify_state_view
from streams.serving.wire.states import StateView
from tests.final_logs import published
from tests.serving_fakes import fact_of
from tests.steps import step_undo
from tests.unit.serving.test_waits import stored
from tests.unit.serving.world import ALICE, BOB, World, upsert

AGENT = "0x" + ALICE.hex()
A = f"/v1/agents/{AGENT}"


async def get(http: httpx.AsyncClient, path: str, status: int = 200, **params: Any) -> Any:
    answer = await http.get(f"{A}/{path}", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


async def change(world: World, number: int, *facts: MemoryFact, fork: int = 0) -> tuple[BlockRef, Root]:
    """A block that leaves a memory, and the root that the lattice agent publishes of it."""
    ref = world.grow(fork)
    await world.remember(upsert(ALICE, ref, number, f"memory {number}", timestamp=number), *facts)
    return ref, await world.publish(ALICE, ref)


async def test_a_state_has_counts_newest_memories_and_proofs(world: World, http: httpx.AsyncClient) -> None:
    await change(world, 1, fact_of(stored()))
    await change(world, 2, upsert(BOB, world.blocks[-1], 7, "bob's"))
    state = await get(http, "state")
    assert state["counts"] == {"EPISODIC": 2, "LONG_TERM": 1}
    assert {item["text"] for item in state["items"]} == {"memory 1", "memory 2", "likes tea"}
    assert state["items"][0]["text"] == "memory 2"
    assert state["root"]["count"] == 3
    assert state["proofs"] is None
    some = await get(http, "state", type="LONG_TERM", proofs=True)
    assert [item["text"] for item in some["items"]] == ["likes tea"]
    verify_state_view(TypeAdapter(StateView).validate_python(some), AGENT)
    assert len((await get(http, "state", limit=1))["items"]) == 1


async def test_what_lies_in_a_session_is_in_the_root_and_not_in_the_state(world: World, http: httpx.AsyncClient) -> None:
    held = fact_of(stored())
    assert held["memory"] is not None
    await change(world, 1, {**held, "memory": {**held["memory"], "source": "SESSION", "session": b"\x11" * 16}})
    state = await get(http, "state", proofs=True)
    assert state["counts"] == {"EPISODIC": 1}
    assert [item["text"] for item in state["items"]] == ["memory 1"]
    assert state["root"]["count"] == 2


@pytest.mark.parametrize("forgery", ["text", "dropped", "agent", "root"])
async def test_a_forged_state_is_refused(world: World, http: httpx.AsyncClient, forgery: str) -> None:
    await change(world, 1)
    await change(world, 2)
    state = await get(http, "state", proofs=True)
    if forgery == "text":
        state["items"][0]["text"] = state["proofs"][0]["memory"]["text"] = "never"
    elif forgery == "dropped":
        state["proofs"].pop()
    elif forgery == "agent":
        state["agent"] = "0x" + BOB.hex()
    else:
        state["root"]["merkle_root"] = "0x" + "11" * 32
    with pytest.raises(ProofRefusedError):
        verify_state_view(TypeAdapter(StateView).validate_python(state), AGENT)


async def test_a_state_that_does_not_make_its_root_is_refused(world: World, http: httpx.AsyncClient) -> None:
    await change(world, 1)
    await world.remember(upsert(ALICE, world.blocks[-1], 50, "planted"))
    for path in ("state", "sync"):
        assert (await get(http, path, 409))["error"] == "not_settled"


def hexed(root: Root) -> str:
    return "0x" + root.merkle_root.hex()


async def test_verification_now(world: World, http: httpx.AsyncClient) -> None:
    _, old = await change(world, 1)
    _, new = await change(world, 2)
    found = await get(http, "state/verification", expected=hexed(new))
    assert (found["matches"], found["exact"], found["root"]["merkle_root"]) == (True, True, hexed(new))
    assert (await get(http, "state/verification", expected="0x" + new.checksum.hex()))["matches"]
    assert not (await get(http, "state/verification", expected=hexed(old)))["matches"]
    await get(http, "state/verification", 400, expected="0x12")


async def test_verification_at_a_block(world: World, http: httpx.AsyncClient) -> None:
    first, old = await change(world, 1)
    world.grow()
    third, new = await change(world, 3)

    async def at(number: int, root: Root, status: int = 200) -> Any:
        found = await get(http, "state/verification", status, expected=hexed(root), block=number)
        return (found["matches"], found["exact"]) if status == 200 else found["error"]

    assert await at(first.number, old) == (True, True)
    assert await at(first.number, new) == (False, True)
    assert await at(2, old) == (True, False), "block 2 may have been published together with block 3"
    assert await at(third.number, new) == (True, True)
    assert await at(0, old, 404) == "not_kept"
    later = world.grow()
    assert await at(later.number, new, 504) == "not_visible_yet"
    world.progress.standings["lattice"] = Standing({}, later)
    assert await at(later.number, new) == (True, True)
    await world.remember(fact_of(stored()))
    with_command = await world.publish(ALICE, third)
    assert await at(third.number, new) == (True, False), "a command came while block 3 was the newest"
    assert await at(third.number, with_command) == (True, False)


async def test_transitions_leave_out_what_was_undone(world: World, http: httpx.AsyncClient) -> None:
    first, one = await change(world, 1)
    _, two = await change(world, 2)
    gone, lost = await change(world, 3)
    assert world.chain.view.sequence is not None
    path = await get(http, "state/transitions", **{"from": first.number})
    assert [root["merkle_root"] for root in path["changes"]] == [hexed(two), hexed(lost)]
    world.chain.view.apply(step_undo(world.chain.view.sequence + 1, [gone], world.blocks[-2]))
    world.blocks.pop()
    await world.memories.revert([upsert(ALICE, gone, 3, "memory 3", timestamp=3)])
    await world.publish(ALICE, world.blocks[-1])
    _, four = await change(world, 4, fork=1)
    path = await get(http, "state/transitions", **{"from": first.number})
    assert path["start"]["merkle_root"] == hexed(one)
    assert [root["merkle_root"] for root in path["changes"]] == [hexed(two), hexed(four)]
    assert path["complete"]
    short = await get(http, "state/transitions", **{"from": 1, "to": 2})
    assert [root["merkle_root"] for root in short["changes"]] == [hexed(two)]
    cut = await get(http, "state/transitions", **{"from": 1, "limit": 1})
    assert (len(cut["changes"]), cut["complete"]) == (1, False)
    assert (await get(http, "state/transitions", 404, **{"from": 0}))["error"] == "not_kept"


async def test_a_path_read_from_what_compaction_left_is_not_called_complete(world: World, http: httpx.AsyncClient) -> None:
    _, one = await change(world, 1)
    _, two = await change(world, 2)
    world.roots.past = type(world.roots.past)()
    world.roots.past.add(ALICE, one, live=False)
    world.roots.past.add(ALICE, two, live=False)
    path = await get(http, "state/transitions", **{"from": 1})
    assert (len(path["changes"]), path["complete"]) == (1, False)
    at_first = await get(http, "state/verification", expected=hexed(one), block=1)
    assert (at_first["matches"], at_first["exact"]) == (True, False), "another root of block 1 may have been missed"


async def test_a_gap_is_not_hidden_by_a_root_that_was_undone(world: World, http: httpx.AsyncClient) -> None:
    _, one = await change(world, 1)
    _, two = await change(world, 2)
    world.roots.past = type(world.roots.past)()
    undone = replace(one, block=BlockRef(1, b"u" * 32, b"p" * 32))
    for root, live in ((one, True), (undone, False), (two, True)):
        world.roots.past.add(ALICE, root, live=live)
    path = await get(http, "state/transitions", **{"from": 1})
    assert (len(path["changes"]), path["complete"]) == (1, False)


async def test_no_root_no_history(world: World, http: httpx.AsyncClient) -> None:
    world.grow()
    assert (await get(http, "state/transitions", 404, **{"from": 0}))["error"] == "not_found"
    assert (await get(http, "state/verification", 404, expected="0x" + "11" * 32, block=1))["error"] == "not_found"
    assert (await get(http, "state", 404))["error"] == "not_found"


async def replicated(http: httpx.AsyncClient, held: dict[str, str], **params: Any) -> dict[str, str]:
    """What a replica that held ``held`` holds after a sync, page by page."""
    live: list[str] | None = None
    while True:
        page = await get(http, "sync", limit=2, **params)
        live = page["live"] if live is None else live
        held |= {item["id"]: item["text"] for item in page["items"]}
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    assert live is not None
    return {memory_id: text for memory_id, text in held.items() if memory_id in live}


async def test_a_replica_holds_the_same_after_full_and_incremental_syncs(world: World, http: httpx.AsyncClient) -> None:
    facts = []
    for number in range(1, 6):
        ref, _ = await change(world, number)
        facts.append(upsert(ALICE, ref, number, f"memory {number}", timestamp=number))
    held = await replicated(http, {})
    assert set(held.values()) == {f"memory {number}" for number in range(1, 6)}
    since = world.blocks[-1].number
    await change(world, 6, fact_of(stored()))
    gone = facts[1]
    await world.memories.apply([{**gone, "op": "DELETE", "memory": None, "cause": bytes(32), "block": None}])
    await world.publish(ALICE)
    first = await get(http, "sync", since=since)
    assert {item["text"] for item in first["items"]} == {"memory 6", "likes tea"}, "nothing that was there is sent again"
    held = await replicated(http, held, since=since)
    assert set(held.values()) == {"memory 1", "memory 3", "memory 4", "memory 5", "memory 6", "likes tea"}
    some = await get(http, "sync", type="LONG_TERM")
    assert [item["text"] for item in some["items"]] == ["likes tea"]
    page = await get(http, "sync", limit=1)
    assert (await get(http, "sync", 400, cursor=page["next"], since=1))["error"] == "bad_request"


async def test_an_import_of_an_old_block_is_sent_to_a_replica_that_has_the_block(world: World, http: httpx.AsyncClient) -> None:
    await change(world, 1)
    old, _ = await change(world, 2)
    held = await replicated(http, {})
    imported = upsert(ALICE, old, 9, "imported", timestamp=2)
    await world.remember({**imported, "block": None})
    await world.publish(ALICE)
    held = await replicated(http, held, since=old.number)
    assert set(held.values()) == {"memory 1", "memory 2", "imported"}


async def test_a_checkpoint_says_where_the_partition_stands(world: World, http: httpx.AsyncClient) -> None:
    assert (await get(http, "checkpoint", 404))["error"] == "not_found"
    ref, root = await change(world, 1)
    world.progress.standings["memory"] = Standing({"memory.commands": 4}, ref)
    found = await get(http, "checkpoint")
    assert found["stream_agents"]["memory"]["offsets"] == {"memory.commands": 4}
    assert found["stream_agents"]["memory"]["block"]["number"] == ref.number
    assert found["root"]["merkle_root"] == hexed(root)
    assert (found["partition"], found["final"]) == (0, None)
    for record in published(0, 3):
        world.roots.logs.take(0, record)
    assert (await get(http, "checkpoint"))["final"]["index"] == 2
