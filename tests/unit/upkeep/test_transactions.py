"""The graph that verify folds: equal to that of a stream agent that was rewound, whenever it is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.agents.graph import GraphAgent
from streams.core.record import Record
from streams.errors import LogIntegrityError, PositionLostError
from streams.ports.log import TopicPartition
from streams.topics import TRANSACTIONS
from streams.upkeep.pipeline import Pipeline
from streams.upkeep.transactions import Rows, TransactionLog
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.fakelog import FakeBroker
from tests.unit.runtime.driving import settings
from tests.unit.tap.test_tap import MOVES, play, publish

SOURCE = TopicPartition(TRANSACTIONS, 0)


def oracle(chain: ChainLog) -> Rows:
    """Local state of a graph agent that saw nothing but the canonical chain."""
    rows = Rows()
    agent = GraphAgent(0, rows)
    for ref, placed in chain.blocks:
        agent.apply(ref, [Record(TRANSACTIONS, 0, 0, key, kind, record, b"") for key, kind, record in placed[0]])
    return rows


@given(MOVES, st.data())
async def test_it_is_the_graph_of_the_canonical_chain_at_every_look(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple], data: st.DataObject
) -> None:
    broker, chain = FakeBroker(), ChainLog()
    at = Pipeline(broker, settings(tmp_path_factory.mktemp("state")), SIGNER, VERIFIER)
    log, reader, published = TransactionLog(at, 0), broker.reader(), 0
    for move in (("add", [1, 2, 3], 0), *moves):
        play(chain, move)
        if data.draw(st.booleans(), label="look"):
            publish(broker, chain, published)
            published = chain.sequence
            await log.read(reader, graph=data.draw(st.booleans(), label="with the graph"))
    publish(broker, chain, published)
    await log.read(reader, graph=True)
    assert log.graph is not None
    must = oracle(chain)
    assert log.graph.rows == must.rows
    assert log.graph.digest == (must.get(b"d") or bytes(32))
    assert log.head == (chain.blocks[-1][0] if chain.blocks else None)
    if chain.blocks:
        assert log.graph.digests[chain.head.hash] == log.graph.digest
    assert (log.settled, log.sequence) == (len(chain.log(0)), chain.sequence - 1)


async def test_a_log_that_is_cut_or_altered_is_refused(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), ChainLog()
    at = Pipeline(broker, settings(tmp_path), SIGNER, VERIFIER)
    chain.add([1, 2, 3])
    chain.add([1, 2, 3])
    broker.append(SOURCE, chain.log(0)[1:])
    with pytest.raises(LogIntegrityError):
        await TransactionLog(at, 0).read(broker.reader(), graph=True)
    broker.cut(SOURCE, 1)
    with pytest.raises(PositionLostError):
        await TransactionLog(at, 0).read(broker.reader(), graph=True)


def test_rows_are_a_local_state() -> None:
    rows = Rows()
    for key in (b"b2", b"a", b"b1"):
        rows.put(key, key)
    rows.delete(b"nothing")
    assert list(rows.scan(b"b")) == [(b"b1", b"b1"), (b"b2", b"b2")]
