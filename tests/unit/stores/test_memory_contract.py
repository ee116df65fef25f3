"""What every MemoryStore promises, run against each implementation and the reference itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors.stores.cassandra import CassandraMemoryStore
from connectors.stores.lmdb_memory import LmdbMemoryStore
from schemas.defaults import plain_edge
from schemas.records import MemoryFact
from streams.core.presence import everything
from streams.errors import StoreError
from streams.ports.stores import Concern, MemoryFilter, MemoryStore, StoredMemory
from tests.unit.stores.facts import ALICE, BOB, block, delete, h, memory, upsert
from tests.unit.stores.reference import DictMemoryStore


@pytest.fixture(params=["lmdb", pytest.param("cassandra", marks=pytest.mark.cassandra), "reference"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MemoryStore]:
    made: MemoryStore
    if request.param == "lmdb":
        made = LmdbMemoryStore(tmp_path / "m")
    elif request.param == "cassandra":
        made = CassandraMemoryStore(request.getfixturevalue("cassandra_settings"))
    else:
        made = DictMemoryStore()
    yield made
    await made.close()
    await made.close()


async def ids(store: MemoryStore, agent: bytes = ALICE) -> list[bytes]:
    return await store.live_ids(agent, everything)


async def test_a_memory_is_read_as_it_was_written(store: MemoryStore) -> None:
    fact = upsert(1, at=block(3), tags=["swap", "eth"], content="naïve ☕".encode(), importance=0.25, timestamp=77)
    await store.apply([fact])
    (stored, missing) = await store.get(ALICE, [h(1), h(2)])
    assert stored is not None and stored.memory == fact["memory"] and missing is None
    assert {(f.cause, f.block_hash, f.block_number) for f in stored.presence.upserts} == {(fact["cause"], block(3)["hash"], 3)}


async def test_facts_are_a_set(store: MemoryStore) -> None:
    fact = upsert(1, at=block(3))
    await store.apply([fact, fact])
    await store.apply([fact])
    await store.revert([fact])
    assert await store.get(ALICE, [h(1)]) == [None]
    await store.revert([fact])
    assert await ids(store) == []


async def test_of_equal_facts_the_first_counts(store: MemoryStore) -> None:
    """A command that was sent twice is known from the first time on, whether both are written at once or one by one."""
    early, late = upsert(1, known_at=1_000), upsert(1, known_at=2_000)
    await store.apply([early, late])
    await store.apply([upsert(2, known_at=1_000)])
    await store.apply([upsert(2, known_at=2_000)])
    found = await store.get(ALICE, [h(1), h(2)])
    assert [row.memory["known_at"] for row in found if row is not None and row.memory is not None] == [1_000, 1_000]


async def test_a_delete_wins_whenever_it_comes(store: MemoryStore) -> None:
    await store.apply([delete(1), upsert(2)])
    await store.apply([upsert(1), delete(2)])
    assert await ids(store) == []
    stored = (await store.get(ALICE, [h(1)]))[0]
    assert stored is not None and stored.memory == memory(1)


async def test_reverting_a_delete_brings_the_memory_back(store: MemoryStore) -> None:
    gone = delete(1, at=block(4))
    await store.apply([upsert(1, at=block(3)), gone])
    assert await ids(store) == []
    await store.revert([gone])
    assert await ids(store) == [h(1)]


async def test_reverting_the_upsert_leaves_the_delete(store: MemoryStore) -> None:
    made = upsert(1, at=block(3))
    await store.apply([made, delete(1)])
    await store.revert([made])
    stored = (await store.get(ALICE, [h(1)]))[0]
    assert stored is not None and stored.memory is None and stored.presence.deletes
    assert await store.query(ALICE, MemoryFilter(), everything) == []


async def test_upsert_and_delete_of_one_cause_are_two_facts(store: MemoryStore) -> None:
    made, gone = upsert(1, at=block(3), cause=1), delete(1, at=block(3), cause=1)
    await store.apply([made, gone])
    await store.revert([gone])
    assert await ids(store) == [h(1)]


async def test_readers_drop_what_is_not_canonical(store: MemoryStore) -> None:
    await store.apply([upsert(1, at=block(3)), upsert(2, at=block(4)), upsert(3), delete(3, at=block(4))])
    undone = block(4)["hash"]
    assert await store.live_ids(ALICE, lambda b: b != undone) == [h(1), h(3)]
    assert [m["id"] for m in await store.query(ALICE, MemoryFilter(), lambda b: b != undone)] == [h(3), h(1)]


async def test_newest_first_then_id(store: MemoryStore) -> None:
    times = {1: 50, 2: -5, 3: 50, 4: 60, 5: 2**40}
    await store.apply([upsert(n, timestamp=t) for n, t in times.items()])
    found = await store.query(ALICE, MemoryFilter(), everything)
    assert [m["id"] for m in found] == [h(5), h(4), h(3), h(1), h(2)]
    found = await store.query(ALICE, MemoryFilter(since=50, until=60, limit=2), everything)
    assert [m["id"] for m in found] == [h(4), h(3)]
    assert await store.query(ALICE, MemoryFilter(limit=0), everything) == []
    assert len(await store.query(ALICE, MemoryFilter(since=-(2**70), until=2**70), everything)) == 5


async def test_goes_on_behind_a_place(store: MemoryStore) -> None:
    await store.apply([upsert(n, timestamp=t) for n, t in {1: 50, 2: -5, 3: 50, 4: 60, 5: 2**40}.items()])

    async def behind(timestamp: int, memory_id: bytes, **more: int) -> list[bytes]:
        found = await store.query(ALICE, MemoryFilter(after=(timestamp, memory_id), **more), everything)
        return [m["id"] for m in found]

    assert await behind(60, h(4)) == [h(3), h(1), h(2)]
    assert await behind(50, h(3)) == [h(1), h(2)]
    assert await behind(50, b"\xff" * 32) == [h(3), h(1), h(2)], "whether a memory is there or not"
    assert await behind(-5, h(2)) == []
    assert await behind(2**41, h(9), until=50, limit=1) == [h(3)]
    assert await behind(50, h(3), until=60) == [h(1), h(2)]


async def test_filters(store: MemoryStore) -> None:
    await store.apply(
        [
            upsert(1, type="SEMANTIC", importance=0.9, tags=["a"]),
            upsert(2, type="SHORT_TERM", importance=0.9, tags=["b"]),
            upsert(3, type="SEMANTIC", importance=0.1, tags=["a", "b"]),
        ]
    )

    async def found(wanted: MemoryFilter) -> list[bytes]:
        return [m["id"] for m in await store.query(ALICE, wanted, everything)]

    assert await found(MemoryFilter(types=frozenset({"SEMANTIC"}))) == [h(3), h(1)]
    assert await found(MemoryFilter(types=frozenset({"SEMANTIC"}), min_importance=0.5)) == [h(1)]
    assert await found(MemoryFilter(tags=frozenset({"b", "z"}))) == [h(3), h(2)]
    assert await found(MemoryFilter(tags=frozenset({"z"}))) == []
    assert await found(MemoryFilter(types=frozenset())) == []


async def test_amendments_are_listed_only_if_asked_for(store: MemoryStore) -> None:
    await store.apply([upsert(1), upsert(2, form="AMENDMENT", edges=[plain_edge("INVALIDATES", h(1))])])
    assert [m["id"] for m in await store.query(ALICE, MemoryFilter(), everything)] == [h(1)]
    both = MemoryFilter(forms=frozenset({"MEMORY", "AMENDMENT"}))
    assert [m["id"] for m in await store.query(ALICE, both, everything)] == [h(2), h(1)]
    assert [m["type"] for m in await store.query(ALICE, both, everything)] == ["EPISODIC", "EPISODIC"]
    assert await ids(store) == [h(1), h(2)]


def stands(_: StoredMemory) -> bool:
    return True


async def bearing(store: MemoryStore, *concerns: Concern, counts=stands, agent: bytes = ALICE) -> list[bytes]:
    return [row.memory["id"] for row in await store.concerning(agent, concerns, counts) if row.memory is not None]


async def test_edges_are_found_from_both_ends(store: MemoryStore) -> None:
    link = {**plain_edge("LINK", h(1)), "source": h(2)}
    await store.apply([upsert(1), upsert(3, edges=[plain_edge("MERGES", h(1)), plain_edge("MERGES", h(4))])])
    await store.apply([upsert(5, at=block(2), form="AMENDMENT", edges=[link]), upsert(5, BOB, edges=[link])])
    assert await bearing(store, Concern(h(1))) == [h(3), h(5)]
    assert await bearing(store, Concern(h(2)), Concern(h(4))) == [h(3), h(5)]
    assert await bearing(store, Concern(h(3))) == await bearing(store) == []
    assert await bearing(store, Concern(h(1)), agent=BOB) == [h(5)]
    assert await bearing(store, Concern(h(1)), counts=lambda row: row.memory is not None and row.memory["id"] != h(3)) == [h(5)]
    await store.revert([upsert(5, at=block(2), form="AMENDMENT", edges=[link])])
    assert await bearing(store, Concern(h(1))) == [h(3)]


async def test_statements_are_found_up_to_the_next_that_counts(store: MemoryStore) -> None:
    def said(n: int, start: int, **fields: object):
        return upsert(n, subject="alice", predicate="lives in", valid_from=start, **fields)

    await store.apply([said(1, -7), said(2, 5), said(3, 5), said(4, 6), said(5, 8), said(6, 8), said(7, 2**40)])
    await store.apply([upsert(8, subject="alice", predicate="likes", valid_from=6)])
    await store.apply([upsert(9, subject="alicel", predicate="ives in", valid_from=6)])
    asked = Concern(h(2), ("alice", "lives in"), 5)
    assert await bearing(store, asked) == [h(2), h(3), h(4)]
    assert await bearing(store, asked, counts=lambda row: row.memory is not None and row.memory["id"] != h(4)) == [
        h(2), h(3), h(5), h(6),
    ]  # fmt: skip
    assert await bearing(store, Concern(h(1), ("alice", "lives in"), -7)) == [h(1), h(2), h(3)]
    assert await bearing(store, Concern(h(7), ("alice", "lives in"), 2**40)) == [h(7)]
    assert await bearing(store, Concern(h(7), ("alice", "lives in"), 7)) == [h(5), h(6)]
    await store.revert([said(4, 6)])
    assert await bearing(store, asked) == [h(2), h(3), h(5), h(6)]


async def test_a_memory_that_starts_with_its_timestamp_is_a_statement_too(store: MemoryStore) -> None:
    await store.apply([upsert(1, subject="s", predicate="p", timestamp=5), upsert(2, subject="s", predicate="p", timestamp=9)])
    assert await bearing(store, Concern.of(memory(1, subject="s", predicate="p", timestamp=5))) == [h(1), h(2)]


async def test_agents_do_not_meet(store: MemoryStore) -> None:
    neighbours = [ALICE, ALICE[:-1] + b"\xa9", ALICE[:-1] + b"\xab", BOB, b"\x00" * 20, b"\xff" * 20]
    await store.apply([upsert(n, agent) for n, agent in enumerate(neighbours)])
    for n, agent in enumerate(neighbours):
        assert await ids(store, agent) == [h(n)]
        assert [m["agent"] for m in await store.query(agent, MemoryFilter(), everything)] == [agent]
        others = [h(i) for i in range(len(neighbours)) if i != n]
        assert await store.get(agent, others) == [None] * len(others)
    assert [a async for a in store.agents()] == sorted(neighbours)


async def test_agents_with_no_fact_left_are_gone(store: MemoryStore) -> None:
    fact = upsert(1, at=block(1))
    await store.apply([fact, upsert(2, BOB)])
    await store.revert([fact])
    assert [a async for a in store.agents()] == [BOB]


async def test_nothing_is_asked_of_an_empty_store(store: MemoryStore) -> None:
    await store.apply([])
    await store.revert([upsert(1)])
    assert await ids(store) == []
    assert [a async for a in store.agents()] == []


async def test_a_prefix_of_an_address_finds_nothing(tmp_path: Path) -> None:
    store = LmdbMemoryStore(tmp_path)
    await store.apply([upsert(1)])
    for short in (b"", ALICE[:19], ALICE + b"\x00"):
        with pytest.raises(StoreError, match="20 bytes"):
            await store.live_ids(short, everything)
        with pytest.raises(StoreError, match="20 bytes"):
            await store.query(short, MemoryFilter(), everything)
    await store.close()


async def test_what_lies_in_sessions_is_found_there_alone_newest_first(store: MemoryStore) -> None:
    one, two, other = (bytes([n]) * 16 for n in (1, 2, 3))

    def inside(n: int, session: bytes, agent: bytes = ALICE, **more: Any) -> MemoryFact:
        return upsert(n, agent, source="SESSION", session=session, **{"timestamp": 10 * n, **more})

    facts = [inside(1, one), inside(2, two, type="SEMANTIC"), inside(3, one), inside(4, other), inside(5, one, BOB)]
    outside = upsert(6, source="IMPORT", session=one, timestamp=60)
    await store.apply([*facts, outside])

    async def found(*sessions: bytes, **more: Any) -> list[bytes]:
        return [m["id"] for m in await store.query(ALICE, MemoryFilter(sessions=frozenset(sessions), **more), everything)]

    assert await found(one, two) == [h(3), h(2), h(1)]
    assert await found(one, two, limit=2) == [h(3), h(2)]
    assert await found(one, two, after=(30, h(3))) == [h(2), h(1)]
    assert await found(one, two, since=15, until=25) == await found(one, two, types=frozenset({"SEMANTIC"})) == [h(2)]
    assert await found(bytes(16)) == []
    assert await found() == [h(6)]
    await store.revert(facts[2:3])
    await store.apply([delete(2)])
    assert await found(one, two) == [h(1)]
