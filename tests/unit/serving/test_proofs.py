"""Proofs are given for what the published root holds, and refused for everything else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from schemas.records import Memory
from streams.core.leaf import value_of
from streams.core.merkle.document import MemberDocument, parse
from streams.ports.stores import StoredMemory
from streams.serving.faults import ConflictError, NotFoundError
from tests.steps import block, step_new, step_undo
from tests.unit.serving.world import ALICE, BOB, World, upsert

A = f"/v1/agents/0x{ALICE.hex()}"


async def populated(world: World) -> list[dict[str, Any]]:
    ref = world.grow()
    facts = [upsert(ALICE, ref, i, f"memory {i}") for i in range(5)]
    await world.remember(*facts, upsert(BOB, ref, 9, "bob's"))
    await world.publish(ALICE)
    return [dict(fact) for fact in facts]


async def test_inclusion_and_absence_hold_against_the_published_root(http: httpx.AsyncClient, world: World) -> None:
    facts = await populated(world)
    root = (await http.get(f"{A}/root")).json()
    assert root["count"] == 5
    answer = (await http.get(f"{A}/memories/0x{facts[2]['memory_id'].hex()}/proof")).json()
    document = parse(answer["proof"])
    assert isinstance(document, MemberDocument)
    assert answer["present"]
    assert document.holds()
    assert "0x" + document.root.hex() == root["merkle_root"]
    assert document.value == value_of(bytes.fromhex(answer["opening"][2:]), facts[2]["memory"])
    absent = (await http.get(f"{A}/memories/0x{'77' * 32}/proof")).json()
    assert (absent["present"], absent["opening"]) == (False, None)
    assert parse(absent["proof"]).holds()
    bare = (await http.get(f"{A}/memories/0x{facts[2]['memory_id'].hex()}/proof/document")).json()
    assert bare == answer["proof"]


@pytest.mark.parametrize("damage", ["lost", "gained", "altered"])
async def test_refused_when_the_store_disagrees_with_the_root(http: httpx.AsyncClient, world: World, damage: str) -> None:
    facts = await populated(world)
    key = (ALICE, facts[0]["memory_id"])
    if damage == "lost":
        del world.memories.rows[key]
    elif damage == "gained":
        await world.remember(upsert(ALICE, world.blocks[-1], 50, "planted"))
    else:
        row = world.memories.rows[key]
        assert row.memory is not None
        forged: Memory = {**row.memory, "content": b"never happened"}  # type: ignore[typeddict-item]
        world.memories.rows[key] = StoredMemory(forged, row.presence)
    response = await http.get(f"{A}/memories/0x{facts[1]['memory_id'].hex()}/proof")
    assert response.status_code == 409
    assert response.json()["error"] == "not_settled"
    assert "published is" in response.json()["message"]


async def test_waits_until_store_and_root_meet(world: World) -> None:
    facts = await populated(world)
    late = upsert(ALICE, world.blocks[-1], 60, "late")
    await world.memories.apply([late])  # the root does not know it yet

    async def lattice_agent() -> None:
        await asyncio.sleep(0.08)
        await world.publish(ALICE)

    agent = asyncio.create_task(lattice_agent())
    answer = await world.prover.proof(ALICE, late["memory_id"])
    await agent
    assert answer.present
    assert answer.root.count == len(facts) + 1


async def test_root_of_a_removed_block_is_not_served(world: World) -> None:
    await populated(world)
    gone = world.blocks[-1]
    world.chain.pending.append(step_undo(2, [gone], world.blocks[-2]))
    with pytest.raises(ConflictError, match="not on the chain"):
        await world.prover.root(ALICE)
    other = block(gone.number, 1, world.blocks[-2].hash)
    world.chain.pending.append(step_new(3, other))
    world.roots.rows[ALICE] = replace(world.roots.rows[ALICE], block=other)
    assert (await world.prover.root(ALICE)).block == other


async def test_no_root_no_proof(world: World) -> None:
    with pytest.raises(NotFoundError, match="no root"):
        await world.prover.proof(ALICE, bytes(32))
