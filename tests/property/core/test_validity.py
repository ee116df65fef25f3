"""Laws of validity: order-free, local, undone by forgetting, and what is known only grows."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.defaults import plain_edge, plain_memory
from schemas.records import Memory
from streams.core.moment import Moment
from streams.core.presence import Fact, Presence
from streams.core.validity import Validity, start_of, statement_of, validities
from streams.ports.stores import Concern, StoredMemory
from tests.concerns import concerning

AGENT = b"\xaa" * 20
TIMES = st.integers(0, 12)
KINDS = ("SUPERSEDES", "MERGES", "INVALIDATES", "LINK")


def h(n: int) -> bytes:
    return bytes([n]) * 32


@st.composite
def records(draw: st.DrawFn, n: int) -> Memory:
    """Memories over few times, statements and targets, so that they meet."""
    start = draw(st.one_of(st.none(), TIMES))
    said = draw(st.sampled_from([(None, None), ("alice", "lives in"), ("bob", "lives in")]))
    edges = draw(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 7), st.one_of(st.none(), TIMES)), max_size=2))
    number = draw(st.one_of(st.none(), st.integers(0, 9)))
    return {
        **plain_memory(h(n), AGENT, "SEMANTIC", "COMMAND", draw(TIMES)),
        "content": draw(st.sampled_from([b"x", b"y"])),
        "subject": said[0],
        "predicate": said[1],
        "valid_from": start,
        "valid_to": draw(st.one_of(st.none(), st.integers(13, 15))),
        "edges": [
            {**plain_edge(kind, h(target)), "until": None if kind == "LINK" else until}  # type: ignore[arg-type]
            for kind, target, until in edges
            if target != n
        ],
        "block": None if number is None else {"number": number, "hash": h(100 + number), "parent": h(99 + number)},
    }


@st.composite
def worlds(draw: st.DrawFn) -> list[Memory]:
    return [draw(records(n)) for n in draw(st.lists(st.integers(0, 7), max_size=8, unique=True))]


@given(worlds(), st.data())
def test_the_order_of_records_does_not_matter(world: list[Memory], data: st.DataObject) -> None:
    assert validities(data.draw(st.permutations(world))) == validities(world)


@given(worlds())
def test_what_bears_on_a_memory_is_all_that_its_validity_needs(world: list[Memory]) -> None:
    """So a store answers from its indices, without a look at the rest."""
    rows = [StoredMemory(memory, Presence(frozenset({Fact(memory["id"])}))) for memory in world]
    whole = validities(world)
    for memory in world:
        found = concerning(rows, [Concern.of(memory)], lambda _: True)
        bearing = [row.memory for row in found if row.memory is not None]
        assert validities([memory], bearing) == {memory["id"]: whole[memory["id"]]}


@given(worlds(), st.data())
def test_a_record_taken_back_might_never_have_been(world: list[Memory], data: st.DataObject) -> None:
    """Known to a read or not: what a moment does not know has no effect there."""
    moment = data.draw(moments())
    late = [memory for memory in world if not moment.knows(memory)]
    left = [memory for memory in world if moment.knows(memory)]
    assert moment.shown(world) == moment.shown(left) == moment.shown(left, late)


@given(worlds())
def test_intervals(world: list[Memory]) -> None:
    found = validities(world)
    for memory in world:
        validity = found[memory["id"]]
        assert validity.valid_from == start_of(memory)
        assert validity.valid_to is None or validity.valid_to >= validity.valid_from
        if memory["valid_to"] is not None:
            assert validity.valid_to is not None
            assert validity.valid_to <= memory["valid_to"]
        for other in validity.contradicts:
            assert memory["id"] in found[other].contradicts
        assert memory["id"] not in (*validity.superseded_by, *validity.invalidated_by, *validity.contradicts)


@given(worlds(), st.integers(0, 16))
def test_at_most_one_thing_is_said_of_a_subject_at_a_time(world: list[Memory], time: int) -> None:
    found = validities(world)
    said: dict[Any, set[bytes]] = {}
    for memory in world:
        if statement_of(memory) and found[memory["id"]].at(time):
            said.setdefault(statement_of(memory), set()).add(memory["content"])
    assert all(len(contents) == 1 for contents in said.values())


@st.composite
def moments(draw: st.DrawFn, too: bool = True) -> Moment:
    known = draw(st.one_of(st.none(), TIMES))
    return Moment(12, draw(st.one_of(st.none(), st.integers(0, 9))), known, draw(st.one_of(st.none(), TIMES)), too)


@given(worlds())
def test_what_is_known_only_grows(world: list[Memory]) -> None:
    for earlier, later in pairwise([Moment(12, block, block) for block in range(10)]):
        assert {m["id"] for m in world if earlier.knows(m)} <= {m["id"] for m in world if later.knows(m)}


@given(worlds(), moments())
def test_more_that_is_known_never_makes_an_interval_longer(world: list[Memory], moment: Moment) -> None:
    def end(validity: Validity) -> float:
        return float("inf") if validity.valid_to is None else validity.valid_to

    known = moment.shown(world)
    for memory_id, validity in validities(world).items():
        if memory_id in known and moment.known_time is not None:
            assert end(validity) <= end(known[memory_id])


@given(worlds(), st.integers(0, 12))
def test_what_claims_to_come_from_the_future_counts_now(world: list[Memory], now: int) -> None:
    """A memory without a start of its own is shown by a plain read, whatever its writer's clock said, unless it has ended."""
    shown = Moment(now).shown(world)
    for memory in world:
        bound = memory["subject"] or any(memory["id"] == e["target"] for m in world for e in m["edges"])
        if memory["valid_from"] is None and not bound:
            assert memory["id"] in shown
