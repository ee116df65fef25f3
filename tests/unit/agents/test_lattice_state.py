"""The lattice agent over the runtime's own local state: what was committed is found again, what was dropped leaves no trace."""

from __future__ import annotations

from pathlib import Path

from streams.agents.lattice import LatticeAgent
from streams.core.block import BlockRef
from streams.core.record import Record
from streams.runtime.state import StateStore
from tests.facts import agent_of, delete, digest, secret_of, upsert
from tests.fakes import MemoryState, record_of

ONE = BlockRef(1, digest("one"), digest("genesis"))
TWO = BlockRef(2, digest("two"), ONE.hash)
FIRST = [record_of("memory.log", "MemoryFact", upsert(agent_of(n % 3), digest(n), digest("c", n), ONE)) for n in range(20)]
SECOND = [record_of("memory.log", "MemoryFact", delete(agent_of(n % 3), digest(n), digest("d", n), TWO)) for n in range(5)]


def applied(store: StateStore, block: BlockRef, records: list[Record]) -> None:
    """A transaction of a new instance, up to its commit."""
    agent = LatticeAgent(0, store, secret_of)
    agent.apply(block, records)
    list(agent.emit_before_commit())


def test_restarts_and_aborts_change_nothing(tmp_path: Path) -> None:
    straight = LatticeAgent(0, MemoryState(), secret_of)
    for block, records in ((ONE, FIRST), (TWO, SECOND)):
        straight.apply(block, records)
    expected = list(straight.emit_before_commit())
    log = list(straight.finalize(TWO))

    store = StateStore(tmp_path / "state")
    applied(store, ONE, FIRST)
    store.commit({"tip": b"1"}, "tip")
    applied(store, TWO, SECOND[:3])  # the transaction fails
    store.discard()
    applied(store, TWO, SECOND)
    store.commit({"tip": b"2"}, "tip")
    store.close()

    store = StateStore(tmp_path / "state")
    again = LatticeAgent(0, store, secret_of)
    assert again.state_digest() == straight.state_digest()
    assert list(again.finalize(TWO)) == log
    again.revert(TWO, SECOND)
    again.apply(TWO, SECOND)
    assert list(again.emit_before_commit()) == expected
    store.close()
