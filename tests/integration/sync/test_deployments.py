"""Two deployments that share nothing but the chain are compared, one of them damaged, and mended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from connectors.chain.devchain import Step
from connectors.chain.devchain.steps import StepKind
from connectors.stores import open_memory_store
from schemas.records import Memory, MemoryFact
from streams.ports.stores import MemoryStore, StoredMemory
from streams.vault.sealing import sealed_records
from tests.integration.sync.conftest import BLOCKS, Side, settled

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@asynccontextmanager
async def store_of(side: Side) -> AsyncIterator[MemoryStore]:
    """Its store, opened with its keys."""
    with sealed_records(side.settings):
        store = open_memory_store(side.settings)
        try:
            yield store
        finally:
            await store.close()


def facts_of(row: StoredMemory) -> list[MemoryFact]:
    """The UPSERTs of a row, as facts that a store takes."""
    memory = row.memory
    assert memory is not None
    return [
        MemoryFact(
            op="UPSERT",
            cause=fact.cause,
            memory_id=memory["id"],
            owner=memory["agent"],
            memory=memory,
            block=memory["block"] if fact.block_hash else None,
        )
        for fact in row.presence.upserts
    ]


async def damage(side: Side, chosen: Callable[[Memory], bool], mend: Callable[[Memory], Memory] | None = None) -> list[Memory]:
    """Takes the chosen memories out of the store behind the pipeline's back; puts others in their place, if told."""
    async with store_of(side) as store:
        found: list[Memory] = []
        agents = [agent async for agent in store.agents()]
        for agent in agents:
            ids = await store.live_ids(agent, lambda _: True)
            rows = [row for row in await store.get(agent, ids) if row is not None and row.memory is not None]
            hit = [row for row in rows if row.memory is not None and chosen(row.memory)]
            facts = [fact for row in hit for fact in facts_of(row)]
            found += [row.memory for row in hit if row.memory is not None]
            await store.revert(facts)
            if mend is not None:
                await store.apply([{**fact, "memory": mend(fact["memory"])} for fact in facts if fact["memory"]])
        return found


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


async def test_equal_ones_say_equal(sides: tuple[Side, Side]) -> None:
    here, there = sides
    found = await here.asked("compare", there)
    assert (found["verdict"], found["compared_at"], found["stores"]["equal"]) == ("equal", BLOCKS, True)
    assert found["here"]["partitions"] != found["there"]["partitions"]
    assert "stores: equal" in await there.monmouth("compare", "--peer", here.url, "--token-file", str(here.partner_token))


async def test_strangers_are_not_answered(sides: tuple[Side, Side]) -> None:
    here, there = sides
    said = await here.monmouth("compare", "--peer", there.url, "--token-file", str(here.partner_token), code=1)
    assert "the peer: the token is not valid" in said


async def mended(side: Side, peer: Side) -> None:
    """They are equal again, and nothing is left to do."""
    assert (await side.asked("compare", peer))["verdict"] == "equal"
    assert (await side.asked("repair", peer))["outcome"] == {"log": None, "agents": [], "left": []}


async def test_an_altered_row_is_found_and_mended_from_the_own_log(sides: tuple[Side, Side]) -> None:
    here, there = sides
    (old,) = await damage(here, _one_of(7), lambda memory: {**memory, "content": b"paid twice"})
    found = await here.asked("compare", there, code=3)
    assert (found["verdict"], found["divergence"], found["stores"]["first_block"]) == ("differs", None, 7)
    (agent,) = found["stores"]["agents"]
    assert (agent["agent"], agent["side"]) == (hexed(old["agent"]), "both")
    assert [one["memory_id"] for one in agent["memories"]] == [hexed(old["id"])]
    (trial,) = (await here.asked("repair", there, "--dry-run", code=3))["outcome"]["agents"]
    assert (trial["cause"], trial["altered"], trial["mended"]) == ("store", 1, False)
    # the other side, told the same, finds that it is right itself
    (other,) = (await there.asked("repair", here))["outcome"]["agents"]
    assert (other["cause"], other["checked"], other["mended"]) == ("peer", True, False)
    (done,) = (await here.asked("repair", there))["outcome"]["agents"]
    assert (done["cause"], done["altered"], done["mended"], done["checked"]) == ("store", 1, True, True)
    await mended(here, there)
    async with store_of(here) as store:
        (row,) = await store.get(old["agent"], [old["id"]])
        assert row is not None
        assert row.memory == old


async def test_an_agent_that_was_dropped_comes_back(sides: tuple[Side, Side]) -> None:
    here, there = sides
    agent = here.node.chain.agents[0]
    lost = await damage(here, lambda memory: memory["agent"] == agent)
    found = await here.asked("compare", there, code=3)
    assert [(one["agent"], one["side"]) for one in found["stores"]["agents"]] == [(hexed(agent), "there")]
    assert len(found["stores"]["agents"][0]["memories"]) == len(lost) > 1
    said = await here.monmouth("repair", "--peer", there.url, "--token-file", str(there.partner_token))
    assert f"{hexed(agent)} mended: the store here was not what the log says ({len(lost)} lacked)" in said
    await mended(here, there)


async def test_a_block_that_the_store_lost_comes_back(sides: tuple[Side, Side]) -> None:
    here, there = sides
    lost = await damage(here, lambda memory: memory["block"] is not None and memory["block"]["number"] == 9)
    found = await here.asked("compare", there, code=3)
    assert found["stores"]["first_block"] == 9
    assert {one["agent"] for one in found["stores"]["agents"]} == {hexed(memory["agent"]) for memory in lost}
    await here.asked("repair", there)
    await mended(here, there)


async def test_a_row_that_the_chain_never_made_is_taken_out(sides: tuple[Side, Side]) -> None:
    here, there = sides
    async with store_of(here) as store:
        agent = here.node.chain.agents[1]
        (memory_id, *_) = await store.live_ids(agent, lambda _: True)
        (row,) = await store.get(agent, [memory_id])
        assert row is not None
        (fact,) = facts_of(row)
        assert fact["memory"] is not None
        forged: Memory = {**fact["memory"], "id": b"\x01" * 32, "content": b"owes me 5 ETH"}
        await store.apply([{**fact, "memory_id": forged["id"], "memory": forged}])
    (done,) = (await here.asked("repair", there))["outcome"]["agents"]
    assert (done["agent"], done["extra"], done["mended"]) == (hexed(agent), 1, True)
    await mended(here, there)


async def test_what_the_chain_cannot_vouch_for_is_said(sides: tuple[Side, Side]) -> None:
    here, there = sides
    (old,) = await damage(here, _one_of(8), lambda memory: {**memory, "content": b"paid twice"})
    reached, there.settings.chain.rpc_url = there.settings.chain.rpc_url, "http://127.0.0.1:9"
    try:
        outcome = (await there.asked("repair", here, code=3))["outcome"]
    finally:
        there.settings.chain.rpc_url = reached
    assert [(one["agent"], one["cause"]) for one in outcome["agents"]] == [(hexed(old["agent"]), "undecided")]
    assert "chain.rpc_url" in outcome["left"][0]
    await here.asked("repair", there)
    await mended(here, there)


async def test_a_side_that_is_behind_is_told_what_fetches_the_rest(sides: tuple[Side, Side]) -> None:
    here, there = sides
    there.do(*(Step(StepKind.ADVANCE) for _ in range(2)))
    await settled(there, BLOCKS + 2)
    repair = await here.asked("repair", there, code=3)
    assert repair["findings"]["verdict"] == "behind"
    assert repair["outcome"]["left"][0].startswith("monmouth producer ")
    here.do(*(Step(StepKind.ADVANCE) for _ in range(2)))
    await settled(here, BLOCKS + 2)
    await mended(here, there)


async def test_another_branch_is_found_and_the_chain_says_whose_it_is(sides: tuple[Side, Side]) -> None:
    """The last one: the sides stay apart."""
    here, there = sides
    there.do(Step(StepKind.REORG, depth=3, extra=1))
    await settled(there, BLOCKS + 3)
    found = await here.asked("compare", there, code=3)
    assert found["verdict"] == "forked"
    divergence = found["divergence"]
    assert (divergence["kind"], divergence["after"], divergence["at"]) == ("branch", BLOCKS - 1, BLOCKS)
    assert found["stores"]["equal"]
    outcome = (await here.asked("repair", there))["outcome"]
    assert outcome["log"] == {"fault": "peer", "block": BLOCKS}


def _one_of(number: int) -> Callable[[Memory], bool]:
    """Exactly one memory of a block."""
    chosen: list[bytes] = []

    def choose(memory: Memory) -> bool:
        if memory["block"] is None or memory["block"]["number"] != number or (chosen and chosen[0] != memory["id"]):
            return False
        chosen[:] = [memory["id"]]
        return True

    return choose
