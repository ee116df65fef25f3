"""Reads that wait: for what they wait, and that they refuse rather than answer from before."""

from __future__ import annotations

import asyncio
import time
import uuid

import httpx
import pytest

from schemas.records import MemoryCommand, MemoryFact
from streams.core.block import BlockRef
from streams.core.ids import command_memory_id
from streams.ports.stores import VectorRow
from streams.serving.commands import forget_command, store_command
from streams.serving.faults import BadRequestError, ConflictError, LateError
from streams.serving.progress import Standing
from streams.serving.waits import Awaited
from streams.serving.write_token import Write
from streams.topics import COMMANDS
from tests.serving_fakes import fact_of
from tests.steps import block, step_new, step_undo
from tests.unit.serving.world import ALICE, BOB, World, upsert

COMMAND = uuid.UUID(int=7).bytes
MEMORY = command_memory_id(ALICE, COMMAND)
HEX = "0x" + ALICE.hex()


def stored(media_type: str = "text/plain") -> MemoryCommand:
    return store_command(
        ALICE, COMMAND, b"likes tea", media_type=media_type, kind="LONG_TERM", importance=0.5, tags=[], timestamp=1
    )


def awaited(world: World, write: Write, seconds: float = 0.0) -> Awaited:
    return Awaited(world.services.waits.tokens.token_of(ALICE, write), seconds=seconds)


async def index(world: World, fact: MemoryFact) -> None:
    vector = world.embedder.embed(["likes tea"])[0]
    await world.index.upsert([VectorRow(fact["owner"], fact["memory_id"], vector)])


WRITE = Write(COMMAND, MEMORY, 0, 5)


async def test_a_stored_text_is_there_with_its_fact_and_its_vector(world: World) -> None:
    waits, fact = world.services.waits, fact_of(stored())
    with pytest.raises(LateError, match="memory store does not hold"):
        await waits.settle(ALICE, awaited(world, WRITE))
    await world.memories.apply([fact])
    with pytest.raises(LateError, match="vector is not in the index"):
        await waits.settle(ALICE, awaited(world, WRITE))
    await index(world, fact)
    await waits.settle(ALICE, awaited(world, WRITE))


async def test_what_is_no_text_has_no_vector_to_wait_for(world: World) -> None:
    await world.memories.apply([fact_of(stored("application/octet-stream"))])
    await world.services.waits.settle(ALICE, awaited(world, WRITE))


async def test_a_stored_memory_that_was_forgotten_since_is_not_waited_for(world: World) -> None:
    forgotten = fact_of(forget_command(ALICE, uuid.UUID(int=8).bytes, MEMORY, 2))
    await world.memories.apply([fact_of(stored()), forgotten])
    await world.services.waits.settle(ALICE, awaited(world, WRITE))


async def test_a_forgotten_memory_is_gone_from_both(world: World) -> None:
    waits, fact, command = world.services.waits, fact_of(stored()), uuid.UUID(int=8).bytes
    await world.memories.apply([fact])
    await index(world, fact)
    write = Write(command, MEMORY, 0, 6)
    with pytest.raises(LateError, match="memory store"):
        await waits.settle(ALICE, awaited(world, write))
    await world.memories.apply([fact_of(forget_command(ALICE, command, MEMORY, 2))])
    with pytest.raises(LateError, match="still in the index"):
        await waits.settle(ALICE, awaited(world, write))
    await world.index.delete([(ALICE, MEMORY)])
    await waits.settle(ALICE, awaited(world, write))


async def test_a_command_that_was_refused_is_told_at_once(world: World) -> None:
    waits = world.services.waits
    world.progress.standings["memory"] = Standing({COMMANDS: 5}, None)
    with pytest.raises(LateError):
        await waits.settle(ALICE, awaited(world, WRITE))
    world.progress.standings["memory"] = Standing({COMMANDS: 6}, None)
    with pytest.raises(ConflictError, match="holds nothing of it"):
        await waits.settle(ALICE, awaited(world, WRITE, seconds=30))


async def test_waits_until_it_comes(world: World) -> None:
    fact = fact_of(stored())
    started = time.monotonic()
    waiting = asyncio.create_task(world.services.waits.settle(ALICE, awaited(world, WRITE, seconds=20)))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await world.remember(fact)
    await waiting
    assert time.monotonic() - started < 5


def stand(world: World, at: BlockRef | None, *agents: str) -> None:
    for agent in agents or ("memory", "embedding"):
        world.progress.standings[agent] = Standing({}, at)


async def settle(world: World, wanted: int | bytes) -> None:
    await world.services.waits.settle(ALICE, Awaited(block=wanted, seconds=0))


async def test_a_block_is_there_when_both_agents_took_it_in(world: World) -> None:
    first, second = world.grow(), world.grow()
    with pytest.raises(LateError, match="memory agent has not taken it in; it stands at no block"):
        await settle(world, 1)
    stand(world, first)
    await settle(world, 1)
    await settle(world, first.hash)
    with pytest.raises(LateError, match="memory agent"):
        await settle(world, 2)
    stand(world, second, "memory")
    with pytest.raises(LateError, match="embedding agent has not taken it in; it stands at block 1"):
        await settle(world, second.hash)
    stand(world, second)
    await settle(world, 1)
    with pytest.raises(LateError, match="not on the chain yet"):
        await settle(world, 3)
    with pytest.raises(LateError, match="not known"):
        await settle(world, b"\x07" * 32)


async def test_an_agent_that_stands_on_a_branch_that_was_undone_has_not_taken_it_in(world: World) -> None:
    base, gone = world.blocks[-1], world.grow()
    stand(world, gone)
    await settle(world, gone.hash)
    other = block(1, 1, base.hash)
    world.chain.pending += [step_undo(2, [gone], base), step_new(3, other)]
    with pytest.raises(LateError, match="was undone"):
        await settle(world, gone.hash)
    with pytest.raises(LateError, match="memory agent"):
        await settle(world, 1)
    stand(world, other)
    await settle(world, 1)


async def test_over_rest_a_read_waits_or_is_refused_and_never_answers_from_before(
    world: World, http: httpx.AsyncClient
) -> None:
    world.commands._store = None  # the stream agents are away
    receipt = (await http.post(f"/v1/agents/{HEX}/memories", json={"text": "likes tea"})).json()
    asked = {"query": "likes tea", "wait_for": receipt["write_token"], "wait": 0}
    late = await http.post(f"/v1/agents/{HEX}/query", json=asked)
    assert (late.status_code, late.json()["error"]) == (504, "not_visible_yet")
    assert late.headers["retry-after"] == "1"
    params = {"wait_for": receipt["write_token"], "wait": 0}
    for path in ("memories", f"memories/{receipt['memory_id']}", f"memories/{receipt['memory_id']}/proof"):
        assert (await http.get(f"/v1/agents/{HEX}/{path}", params=params)).status_code == 504
    await world.remember(fact_of(world.commands.sent[0]))
    answer = await http.post(f"/v1/agents/{HEX}/query", json=asked)
    assert [item["text"] for item in answer.json()["items"]] == ["likes tea"]
    assert (await http.get(f"/v1/agents/{HEX}/memories", params=params)).json()["items"][0]["text"] == "likes tea"
    foreign = await http.post(f"/v1/agents/0x{BOB.hex()}/query", json=asked)
    assert (foreign.status_code, foreign.json()["message"]) == (400, "wait_for is no write token of this agent")


async def test_over_rest_a_block_is_a_number_or_a_hash(world: World, http: httpx.AsyncClient) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "swapped eth"))
    stand(world, ref)
    for name in (1, "1", "0x" + ref.hash.hex()):
        answer = await http.post(f"/v1/agents/{HEX}/query", json={"query": "eth", "wait_for_block": name, "wait": 0})
        assert len(answer.json()["items"]) == 1
    late = await http.get(f"/v1/agents/{HEX}/memories", params={"wait_for_block": 2, "wait": 0})
    assert (late.status_code, late.json()["message"]) == (504, "block 2: it is not on the chain yet")
    for name in (-1, "x", "0x12", "9" * 19):
        wrong = await http.post(f"/v1/agents/{HEX}/query", json={"query": "eth", "wait_for_block": name})
        assert wrong.status_code == 400
    over = await http.get(f"/v1/agents/{HEX}/memories", params={"wait_for_block": 2, "wait": 31})
    assert over.status_code == 422


async def test_a_store_that_breaks_ends_the_wait(world: World) -> None:
    world.memories.broken = True
    with pytest.raises(Exception, match="the store is closed"):
        await world.services.waits.settle(ALICE, awaited(world, WRITE, seconds=20))
    with pytest.raises(BadRequestError):
        await world.services.waits.settle(ALICE, Awaited("abc"))
