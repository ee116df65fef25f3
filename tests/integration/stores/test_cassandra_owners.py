"""Of several owners of a lane the newest one's word counts in Cassandra, whenever what the others said arrives."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from connectors.stores.cassandra import CassandraMemoryStore
from connectors.stores.cassandra.connection import Connection
from connectors.stores.cassandra.stamps import draw_token
from schemas.defaults import plain_edge
from schemas.records import MemoryFact
from streams.core.presence import everything
from streams.errors import FencedError, StoreError
from streams.ports.stores import Concern, MemoryFilter
from streams.settings import CassandraSettings
from tests.cassandra_fixtures import KEYSPACE, wipe
from tests.integration.stores.conftest import Behind
from tests.property.test_memory_store_laws import facts, picture
from tests.unit.stores.facts import ALICE, BOB, block, delete, h, upsert
from tests.unit.stores.follower import Follower
from tests.unit.stores.reference import DictMemoryStore

pytestmark = pytest.mark.cassandra
LANE = b"memory/0"
IDS = [h(n) for n in range(5)]
EXAMPLES = int(os.environ.get("MONMOUTH_EXAMPLES", "8"))


async def nothing_to_see() -> None:
    """In the place of the look at who owns the lane: as if it had come just before the owner was paused."""


def paused_behind_its_check(store: CassandraMemoryStore) -> CassandraMemoryStore:
    store._writer.check = nothing_to_see  # type: ignore[method-assign]
    return store


def whole(n: int = 1, number: int = 2) -> MemoryFact:
    """A memory to which every table leads."""
    return upsert(n, at=block(number), subject="s", predicate="p", valid_to=900, edges=[plain_edge("MERGES", h(7))])


async def test_a_former_owner_adds_and_takes_nothing(store: CassandraMemoryStore) -> None:
    old = await store.claim(LANE)
    await old.apply([upsert(1)])
    new = await store.claim(LANE)
    for change in (old.apply([upsert(2)]), old.revert([upsert(1)])):
        with pytest.raises(FencedError, match="newer owner"):
            await change
    assert await store.live_ids(ALICE, everything) == [h(1)]
    await new.revert([upsert(1)])
    assert await old.live_ids(ALICE, everything) == []


async def test_lanes_are_apart_and_a_claim_is_seen_by_another_process(
    store: CassandraMemoryStore, cassandra_settings: CassandraSettings
) -> None:
    zero, one = await store.claim(LANE), await store.claim(b"memory/1")
    await zero.apply([upsert(1)])
    await one.apply([upsert(2, BOB)])
    other = CassandraMemoryStore(cassandra_settings)
    assert other.identity == b"" and (await other.claim(LANE)).identity == store.identity != b""
    with pytest.raises(FencedError):
        await zero.apply([upsert(3)])
    await one.apply([upsert(3, BOB)])
    await other.close()


async def test_tokens_drawn_at_once_are_all_different(store: CassandraMemoryStore) -> None:
    await store.version(ALICE)
    drawn = await asyncio.gather(*(draw_token(store._connection) for _ in range(12)))
    assert len(set(drawn)) == 12


async def test_what_a_former_owner_adds_late_is_not_there(store: CassandraMemoryStore, behind: Behind) -> None:
    old = paused_behind_its_check(await store.claim(LANE))
    new = await store.claim(LANE)
    await new.apply([whole()])
    await new.revert([whole()])
    version = await store.version(ALICE)
    await old.apply([whole()])
    assert await store.get(ALICE, [h(1)]) == [None]
    assert await store.version(ALICE) == version
    left = behind(ALICE)
    assert left.keys() <= {"changes"}, "no memory, no entry that leads to one: only that something was here"


async def test_what_a_former_owner_takes_late_stays(store: CassandraMemoryStore) -> None:
    old = paused_behind_its_check(await store.claim(LANE))
    await old.apply([whole(), upsert(3)])
    new = await store.claim(LANE)
    await new.revert([whole()])
    await new.apply([whole()])
    version = await store.version(ALICE)
    await old.revert([whole()])
    assert [m["id"] for m in await store.query(ALICE, MemoryFilter(types=frozenset({"EPISODIC"})), everything)] == [h(3), h(1)]
    asked = [Concern(h(7)), Concern(h(9), ("s", "p"), 0)]
    for concern in asked:
        assert [row.memory for row in await store.concerning(ALICE, [concern], lambda _: True)] == [whole()["memory"]]
    footing = await store.footing(ALICE, 0, 0)
    assert (footing.version, footing.blocks) == (version, [(2, block(2)["hash"])])


async def test_what_a_dead_owner_left_unannounced_is_announced_by_the_next(
    store: CassandraMemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await store.claim(LANE)
    await old.apply([upsert(1)])
    follower = Follower(store, ALICE, partial(store.get, ALICE))
    await follower.follow()
    write = store._connection.write

    async def dies(name: str, *values: object) -> Any:
        if name == "put_head":
            raise StoreError("the node died")
        return await write(name, *values)

    monkeypatch.setattr(store._connection, "write", dies)
    with pytest.raises(StoreError, match="died"):
        await old.apply([upsert(2)])
    monkeypatch.undo()
    assert await store.live_ids(ALICE, everything) == [h(1), h(2)]
    await follower.follow()
    assert set(follower.rows) == {h(1)}, "nobody was told"
    await (await store.claim(LANE)).apply([upsert(2)])
    await follower.follow()
    assert set(follower.rows) == {h(1), h(2)}


async def test_what_a_dead_owner_took_unannounced_is_announced_by_the_next(
    store: CassandraMemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it died before it said what was gone, or before it had cleaned up behind the last row."""
    write, batch = store._connection.write, store._connection.batch

    async def no_head(name: str, *values: object) -> Any:
        if name == "put_head":
            raise StoreError("the node died")
        return await write(name, *values)

    async def no_cleaning(writes: Sequence[Any]) -> None:
        if writes[0][0].startswith("clear_"):
            raise StoreError("the node died")
        await batch(writes)

    follower = Follower(store, ALICE, partial(store.get, ALICE))
    for kept, where, dies in (([upsert(2)], "write", no_head), ([], "write", no_head), ([], "batch", no_cleaning)):
        old = await store.claim(LANE)
        await old.apply([upsert(1), *kept])
        await follower.follow()
        assert set(follower.rows) == {h(1), *(fact["memory_id"] for fact in kept)}
        monkeypatch.setattr(store._connection, where, dies)
        with pytest.raises(StoreError, match="died"):
            await old.revert([upsert(1)])
        monkeypatch.undo()
        await (await store.claim(LANE)).revert([upsert(1)])
        await follower.follow()
        assert set(follower.rows) == {fact["memory_id"] for fact in kept}
        assert [agent async for agent in store.agents()] == ([ALICE] if kept else [])
        await (await store.claim(LANE)).revert([upsert(2)])


async def test_an_owner_whose_write_failed_announces_it_when_it_writes_again(
    store: CassandraMemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = await store.claim(LANE)
    before = await store.version(ALICE)

    async def dies(*_: object) -> Any:
        raise StoreError("no answer")

    monkeypatch.setattr(store._connection, "write", dies)
    with pytest.raises(StoreError, match="no answer"):
        await own.apply([upsert(1)])
    monkeypatch.undo()
    assert await store.version(ALICE) == before
    await own.apply([upsert(1)])
    assert await store.version(ALICE) > before and [agent async for agent in store.agents()] == [ALICE]


async def test_what_an_owner_was_through_with_is_not_written_again(store: CassandraMemoryStore) -> None:
    old = await store.claim(LANE)
    await old.apply([upsert(1)])
    await old.apply([upsert(2)])  # which notes that the first is done
    new = await store.claim(LANE)
    version = await store.version(ALICE)
    await new.apply([upsert(1)])
    assert await store.version(ALICE) == version
    await new.apply([upsert(2)])
    assert await store.version(ALICE) > version, "nobody noted that this one was whole"
    version = await store.version(ALICE)
    await new.apply([upsert(2)])
    assert await store.version(ALICE) == version


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


class InFlight:
    """Stands before a connection: what is read comes from it, what is written stays on the way until it is delivered.

    ``writes``: each with whether it would have been sent only when those before it were acknowledged.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.writes: list[tuple[bool, Callable[[], Awaitable[Any]]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def batch(self, writes: Sequence[Any]) -> None:
        self.writes.append((writes[0][0].startswith("clear_"), partial(self._connection.batch, writes)))

    async def write(self, name: str, *values: Any) -> None:
        self.writes.append((name != "put_agent", partial(self._connection.write, name, *values)))


logs = st.lists(st.tuples(st.booleans(), st.lists(facts(), min_size=1, max_size=3)), min_size=1, max_size=6)


async def tell(store: Any, entry: tuple[bool, list[MemoryFact]]) -> None:
    forward, batch = entry
    await (store.apply(batch) if forward else store.revert(batch))


@given(log=logs, data=st.data())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_owner_paused_in_the_middle_of_a_write_leaves_what_the_log_says(
    runner: asyncio.Runner,
    cassandra_settings: CassandraSettings,
    cassandra_session: Any,
    log: Sequence[tuple[bool, list[MemoryFact]]],
    data: st.DataObject,
) -> None:
    """The log is a list of facts applied and reverted. The old owner gets to some place in it, and is paused in its next write,
    having read the rows; the new one does everything from the committed place on. Each of the old one's requests arrives
    somewhere in between, after everything, or never. Whoever follows the changes meanwhile comes to know what is there.
    """
    committed = data.draw(st.integers(0, len(log) - 1), "committed")
    reached = data.draw(st.integers(committed, len(log) - 1), "reached")
    wipe(cassandra_session, KEYSPACE)

    async def run() -> None:
        store, reference = CassandraMemoryStore(cassandra_settings), DictMemoryStore()
        old = await store.claim(LANE)
        for place in range(reached):
            await tell(old, log[place])
        old._writing._connection = on_the_way = InFlight(store._connection)  # type: ignore[assignment]
        await tell(old, log[reached])
        count = len(on_the_way.writes)
        places = st.lists(st.integers(committed, len(log) + 1), min_size=count, max_size=count)
        arrivals = data.draw(places, "arrivals")
        for number, (waits, _) in enumerate(on_the_way.writes):
            if waits:
                arrivals[number] = max(arrivals[: number + 1])
        followers = [Follower(store, agent, partial(store.get, agent), limit=2) for agent in (ALICE, BOB)]
        new = await store.claim(LANE)
        for place in range(committed, len(log) + 1):
            for follower in followers:
                await follower.follow()
            await asyncio.gather(*(write() for at, (_, write) in zip(arrivals, on_the_way.writes, strict=True) if at == place))
            if place < len(log):
                await tell(new, log[place])
        for entry in log:
            await tell(reference, entry)
        assert await picture(store) == await picture(reference)
        for follower, agent in zip(followers, (ALICE, BOB), strict=True):
            await follower.follow()
            whole = {i: row for i, row in zip(IDS, await store.get(agent, IDS), strict=True) if row is not None}
            assert follower.rows == whole and follower.version == await store.version(agent)
            expected, found = await reference.footing(agent, 0, 0), await store.footing(agent, 0, 0)
            assert expected is not None and (found.blocks, found.turn) == (expected.blocks, expected.turn)
        await store.close()

    runner.run(run())


async def test_facts_of_a_command_are_a_set_too(store: CassandraMemoryStore) -> None:
    own = await store.claim(LANE)
    await own.apply([upsert(1), delete(1)])
    await own.revert([delete(1)])
    assert await store.live_ids(ALICE, everything) == [h(1)]
