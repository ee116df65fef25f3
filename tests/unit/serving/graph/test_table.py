"""The table of events: order of arrival says nothing, memory is bounded, and what was let go is not made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import SchemaError, codec
from streams.errors import ConfigurationError, MonmouthError
from streams.metrics import REGISTRY
from streams.serving import metrics
from streams.serving.app import create_app
from streams.serving.client import AsyncClient
from streams.serving.client_errors import GatewayError
from streams.serving.faults import BadRequestError
from streams.serving.graph.events import Event, Registries, event_of
from streams.serving.graph.reads import GraphReads, Moment
from streams.serving.graph.table import GraphTable
from streams.serving.graph.tail import EdgeTail
from streams.settings import GraphSettings, KafkaSettings
from tests.facts import digest
from tests.feeds import Record
from tests.identity import OPERATOR_TOKEN
from tests.samples import SAMPLES
from tests.serving_fakes import FakeGraph
from tests.unit.serving.graph.dealings import Dealings, paid
from tests.unit.serving.served import served
from tests.unit.serving.world import ALICE, BOB, World, upsert

NOBODY = Registries.parse([])
CAROL = b"\xc0" * 20


def everything(_: Event) -> bool:
    return True


def event(number: int, target: int = 1, source: int = 9, **fields: Any) -> Event:
    row = SAMPLES["GraphEdge"] | {
        "id": digest(number, target, source), "source": bytes([source]) * 20, "target": bytes([target]) * 20,
        "block": {"number": number, "hash": digest(number), "parent": digest(number - 1)}, **fields,
    }  # fmt: skip
    return event_of(row["source"] + row["id"], codec().encode("GraphEdge", row), NOBODY)


def state(table: GraphTable) -> Any:
    return {
        source: (sorted(table.newest(source, everything)), table.sent(source, everything)) for source in sorted(table.sources)
    }


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 2), st.integers(8, 9)), unique=True), st.data())
def test_any_order_of_puts_and_removes_leaves_what_stands(names: list[tuple[int, int, int]], data: st.DataObject) -> None:
    events = [event(*name) for name in names]
    gone = set(data.draw(st.lists(st.sampled_from(events), unique=True))) if events else set()
    straight, table = GraphTable(1_000, lambda: None), GraphTable(1_000, lambda: None)
    for one in sorted(set(events) - gone):
        straight.put(one)
    for one in data.draw(st.permutations(events)):
        table.put(one)
        if data.draw(st.booleans()):
            table.put(one)
    for one in gone:
        table.remove(one.id)
        table.remove(one.id)
    assert (state(table), len(table)) == (state(straight), len(straight))


def test_old_final_events_are_let_go_but_the_newest_of_each_edge() -> None:
    table = GraphTable(8, lambda: 100)
    for number in range(1, 12):
        table.put(event(number, target=1 + number % 2))
    assert (len(table), table.horizon) == (8, 4)
    assert [one.number for one in sorted(table.newest(bytes([9]) * 20, everything))] == [10, 11]
    table.remove(digest(11, 2, 9))
    assert [one.number for one in sorted(table.newest(bytes([9]) * 20, everything))] == [9, 10]


def test_the_newest_transaction_of_an_agent_is_kept_until_another_is_final() -> None:
    table, line = GraphTable(10, lambda: final), bytes([9]) * 20
    final = 1
    for target in range(20, 28):
        table.put(event(1, target, source=8))
    table.put(event(1))
    table.put(event(1, standing=None, ordinal=1, id=digest("log")))
    table.put(event(2))  # not final yet: the first one stays, a little over the limit
    assert [one.number for one in table.sent(line, everything)] == [1, 2]
    assert len(table) == 11
    final = 2
    table.put(event(3))
    assert [one.number for one in table.sent(line, everything)] == [2, 3]


def test_replays_and_undos_do_not_fill_the_table() -> None:
    table = GraphTable(3, lambda: 0)
    for _ in range(50):
        for number in (1, 2):
            table.put(event(number))
        table.remove(digest(2, 1, 9))
    assert len(table) == 1
    assert len(table._superseded) <= 2 * 3 + 1


def test_edges_that_faded_out_of_sight_are_let_go_before_the_table_is_full() -> None:
    old = {"timestamp": 1_000, "standing": None}
    table = GraphTable(5, lambda: 100)
    for target in range(1, 5):
        table.put(event(1, target, **old))
    table.put(event(2, 9, timestamp=10**9))
    table.put(event(2, 8, timestamp=10**9, standing=None))
    assert sorted(one.target[0] for one in table.newest(bytes([9]) * 20, everything)) == [8, 9]
    table.put(event(101, 1, **old))
    table.remove(digest(101, 1, 9))  # an undo above finality is no trouble for an edge that was let go
    assert len(table) == 2


def test_what_is_not_final_is_kept_and_a_table_too_small_for_it_says_so() -> None:
    table = GraphTable(3, lambda: None)
    for number in range(1, 4):
        table.put(event(number))
    with pytest.raises(ConfigurationError, match="more than 3 events"):
        table.put(event(4))


def test_an_undo_below_what_was_kept_ends_the_table() -> None:
    table = GraphTable(2, lambda: 100)
    for number in range(1, 4):
        table.put(event(number))
    assert table.horizon == 2
    table.remove(digest(3, 1, 9))
    with pytest.raises(MonmouthError, match="below what the gateway kept"):
        table.remove(digest(2, 1, 9))


async def test_a_moment_before_what_was_kept_is_refused() -> None:
    world = World()
    world.edges = FakeGraph(limit=10)
    world.edges.final = 100
    reads, dealings = GraphReads(world.chain, world.edges), Dealings(world)
    for _ in range(15):
        dealings.block(paid(ALICE, BOB))
    horizon = world.edges.table.horizon
    assert horizon > 1
    for wrong in (Moment(block=horizon - 1), Moment(time=2**40)):
        with pytest.raises(BadRequestError, match=f"before block {horizon} is not held"):
            await reads.profile(ALICE, wrong)
    right = await reads.profile(ALICE, Moment(block=horizon))
    assert right is not None
    assert right.standing.transactions == horizon
    world.close()


async def test_the_cue_for_retrieval_is_read_from_the_graph() -> None:
    world = World()
    reads, dealings = GraphReads(world.chain, world.edges), Dealings(world)
    dealings.block(paid(ALICE, BOB), paid(BOB, CAROL))
    assert await reads.related(ALICE, [BOB]) == {CAROL: pytest.approx(0.6, abs=1e-6)}
    world.close()


@pytest.mark.parametrize("row", ["", "0x12", "nobody", f"0x{'11' * 20}:", f"0x{'11' * 21}"])
def test_registries_are_rows_of_addresses(row: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a row of addresses"):
        Registries.parse([row])


def test_a_record_that_is_not_this_keys_event_is_no_event() -> None:
    good = codec().encode("GraphEdge", SAMPLES["GraphEdge"])
    key = SAMPLES["GraphEdge"]["source"] + SAMPLES["GraphEdge"]["id"]
    assert event_of(key, good, NOBODY).id == key[20:]
    for wrong_key, value in ((key[:-1] + b"\0", good), (key, codec().encode("Memory", SAMPLES["Memory"])), (key, b"junk")):
        with pytest.raises(SchemaError):
            event_of(wrong_key, value, NOBODY)


async def test_a_full_table_takes_nothing_more_and_says_so_while_all_else_goes_on() -> None:
    world = World()
    graph = GraphSettings(max_events=3)
    tail = EdgeTail(KafkaSettings(), graph, 1.0, lambda: None)
    rows = [Record(0, n, None, str(n).encode()) for n in range(1, 7)]
    tail._take = lambda _, value: tail.table.put(event(int(value or b"")))  # type: ignore[method-assign]
    full = REGISTRY.get_sample_value("monmouth_graph_full")
    assert (tail.failure, full) == (None, 0.0)
    try:
        await tail._fold(rows)
        held = len(tail.table)
        await tail._fold([Record(0, n, None, str(n).encode()) for n in range(10, 20)])
        assert len(tail.table) == held == 4, "it grows no further"
        assert REGISTRY.get_sample_value("monmouth_graph_full") == 1.0
        with pytest.raises(ConfigurationError, match="cannot be let go"):
            await tail.barrier()
        reads = GraphReads(world.chain, tail)
        with pytest.raises(ConfigurationError, match="cannot be let go"):
            await reads.related(bytes(20), [bytes(20)])
        ref = world.grow()
        await world.remember(upsert(ALICE, ref, 0, "paid 0x" + "77" * 20))
        services = replace(world.services, graph=reads)
        async with served(create_app(services)) as url, AsyncClient(url, token=OPERATOR_TOKEN, retries=0) as client:
            assert (await client.query_context(ALICE, "paid 0x" + "77" * 20)).items
            with pytest.raises(GatewayError) as refused:
                await client.graph.neighbours(ALICE)
            assert refused.value.status == 503
    finally:
        metrics.GRAPH_FULL.set(0)
        world.close()
