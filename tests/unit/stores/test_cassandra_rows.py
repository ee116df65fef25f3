"""From facts to writes, without a server: names, bands, and that putting and taking away lead to the same entries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import hypothesis.strategies as st
import pytest
from hypothesis import given

from connectors.stores.cassandra import CassandraMemoryStore
from connectors.stores.cassandra.rows import Row, RowWrites, band, blocks_of, name_of, presence_of, read_memory
from connectors.stores.cassandra.schema import TABLES
from schemas.codec import codec
from schemas.defaults import plain_edge
from schemas.records import MemoryFact
from streams.core.presence import Presence
from streams.errors import ConfigurationError, StoreError
from streams.settings import CassandraSettings
from tests.property.test_memory_store_laws import facts
from tests.unit.stores.facts import ALICE, block, delete, h, upsert

OLD, NEW = 5, 9


def settled(stamp: int) -> bool:
    return stamp != OLD


def writes(stamp: int = NEW) -> RowWrites:
    return RowWrites(ALICE, 0, h(1), stamp)


def whole() -> MemoryFact:
    return upsert(1, at=block(2), subject="s", predicate="p", valid_to=900, edges=[plain_edge("MERGES", h(7))])


def row(fact: MemoryFact, stamp: int) -> Row:
    return Row(codec().encode("Memory", fact["memory"] or {}), {name_of(fact): stamp}, stamp)


@given(st.lists(facts(), max_size=6))
def test_names_say_all_of_a_fact(given_facts: list[MemoryFact]) -> None:
    expected = Presence()
    for fact in given_facts:
        at = fact["block"]
        one = presence_of([name_of(fact)])
        (said,) = one.upserts or one.deletes
        assert (said.cause, said.block_hash) == (fact["cause"], at["hash"] if at else b"")
        assert bool(one.upserts) is (fact["op"] == "UPSERT")
        expected = Presence(expected.upserts | one.upserts, expected.deletes | one.deletes)
    assert presence_of(map(name_of, given_facts)) == expected
    assert blocks_of(map(name_of, given_facts)) == {
        (f["block"]["number"], f["block"]["hash"]) for f in given_facts if f["block"]
    }


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_weightier_memory_is_in_no_lower_band(one: float, other: float) -> None:
    assert 0 <= band(min(one, other)) <= band(max(one, other)) <= 10


def test_what_is_put_is_what_is_taken_away() -> None:
    put = {name for name, _ in writes().apply(Row(), [whole()], settled).writes}
    taken = {name for name, _ in writes().revert(row(whole(), NEW), [whole()], settled).writes}
    entries = {"listing", "edge", "statement", "turn", "block"}
    assert {f"put_{kind}" for kind in entries} <= put and {f"drop_{kind}" for kind in entries} <= taken
    assert len(entries) + 2 == len(TABLES), "and the memory itself, and what changed"


def test_a_fact_that_is_whole_is_not_written_again_and_one_in_doubt_is() -> None:
    assert writes().apply(row(whole(), NEW), [whole()], settled).writes == []
    again = writes().apply(row(whole(), OLD), [whole()], settled)
    assert again.shows and {"put_memory", "put_listing", "put_edge", "put_statement", "put_turn"} <= {
        n for n, _ in again.writes
    }


def test_of_equal_facts_the_first_is_written() -> None:
    change = writes().apply(Row(), [upsert(1, known_at=1_000), upsert(1, known_at=2_000)], settled)
    ((_, wire, *_),) = [values for name, values in change.writes if name == "put_memory"]
    assert read_memory(cast("bytes", wire), ALICE, h(1))["known_at"] == 1_000


def test_taking_back_what_is_not_there_writes_its_removal_and_shows_nothing() -> None:
    change = writes().revert(Row(), [whole()], settled)
    assert not change.shows and not change.gone
    assert {"take_facts", "drop_wire", "drop_listing", "drop_block"} <= {name for name, _ in change.writes}
    assert "put_change" not in {name for name, _ in change.writes}
    assert writes().revert(Row(changed=OLD), [whole()], settled).shows, "somebody took it back, and said so to nobody"


def test_a_delete_leaves_the_memory_where_it_is() -> None:
    change = writes().revert(row(whole(), NEW), [delete(1, at=block(3))], settled)
    assert {name for name, _ in change.writes} == {"take_facts", "drop_block"} and not change.shows
    standing = Row(row(whole(), NEW).wire, {name_of(whole()): NEW, name_of(delete(1, at=block(2))): NEW}, NEW)
    change = writes().revert(standing, [delete(1, at=block(2))], settled)
    assert "drop_block" not in {name for name, _ in change.writes}, "the UPSERT stands on that block too"


def test_a_row_that_is_not_readable_says_which() -> None:
    broken = Row(b"not a record", {name_of(whole()): OLD}, OLD)
    with pytest.raises(StoreError, match=rf"memory {h(1).hex()} of agent 0x{ALICE.hex()} is not readable"):
        writes().revert(broken, [whole()], settled)


async def test_without_the_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "cassandra.cluster", None)
    store = CassandraMemoryStore(CassandraSettings(contact_points=["127.0.0.1"], port=1), tmp_path)
    with pytest.raises(ConfigurationError, match=r"monmouth\[cassandra\]"):
        await store.version(ALICE)
    await store.close()
