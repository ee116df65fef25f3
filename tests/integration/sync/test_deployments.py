"""Two deployments that share nothing but the chain are compared, one of them damaged, and mended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from connectors.stores import open_memory_store
from schemas.records import Memory, MemoryFact
from streams.ports.stores import MemoryStore, StoredMemory
from streams.vault.sealing import sealed_records
from tests.integration.sync.conftest import BLOCKS, Side

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
