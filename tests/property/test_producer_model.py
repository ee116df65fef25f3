"""The producer against a node that does anything: grows, reorganises, goes back, lags, lies, while writes get lost."""

from __future__ import annotations

import asyncio
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.core.block import BlockRef
from streams.producer.loop import BlockProducer
from streams.producer.records import Stager
from streams.settings import ChainSettings
from streams.signing import Signer
from tests.chains import CHAIN_ID, ScriptedSource, chain
from tests.memory_log import MemoryLog

ACTIONS = st.one_of(
    st.tuples(st.just("grow"), st.integers(1, 9)),
    st.tuples(st.just("reorg"), st.integers(1, 12)),
    st.tuples(st.just("shorter"), st.integers(2, 6)),
    st.tuples(st.just("drop"), st.integers(1, 4)),
    st.tuples(st.just("garbage"), st.integers(1, 3)),
    st.tuples(st.just("lost"), st.integers(1, 2)),
    st.tuples(st.just("landed"), st.integers(1, 2)),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("poll"), st.integers(1, 4)),
)


def held(log: MemoryLog) -> list[BlockRef]:
    """What a reader of the log holds; raises if an undo does not name exactly the newest blocks."""
    blocks: list[BlockRef] = []
    final = -1
    for record in log.notifications:
        if record["step"] == "NEW":
            block = BlockRef.of(record["block"])
            assert not blocks or (block.parent, block.number) == (blocks[-1].hash, blocks[-1].number + 1)
            blocks.append(block)
        elif record["step"] == "UNDO":
            for removed in record["removed"]:
                assert blocks.pop() == BlockRef.of(removed)
            assert blocks[-1] == BlockRef.of(record["ancestor"])
            final = min(final, blocks[-1].number)
        else:
            assert record["block"]["number"] > final
            final = record["block"]["number"]
            assert blocks[final] == BlockRef.of(record["block"])
        assert BlockRef.of(record["head"]) == blocks[-1]
    return blocks


async def play(actions: list[tuple[str, int]], orphans: bool) -> None:
    source, log = ScriptedSource(chain(14), orphans=orphans), MemoryLog(keep=8)
    options = ChainSettings(finality_depth=1000, batch_blocks=4, rewind_confirmations=2)

    def start() -> BlockProducer:
        return BlockProducer(source, log, Stager(CHAIN_ID, 2, Signer(bytes(32))), options, CHAIN_ID, once=True)

    producer = start()
    for action, amount in actions:
        depth = min(amount, source.head_ref.number - 1)
        if action == "grow":
            source.grow(amount)
        elif action in ("reorg", "shorter") and depth > 0:
            source.reorg(depth, depth + 1 if action == "reorg" else max(1, depth - 1))
        elif action == "drop" and depth > 0:
            source.drop(depth)
        elif action == "garbage":
            source.broken += ["garbage"] * amount
        elif action in ("lost", "landed"):
            log.fail += [action] * amount
        elif action == "restart":
            producer = start()
        elif action == "poll":
            for _ in range(amount):
                await producer.run()
                held(log)
    tip = held(log)[-1].number if log.notifications else 0
    source.grow(max(1, tip + 1 - source.head_ref.number))
    await producer.run()
    assert held(log) == [block.ref for block in source.canonical_blocks]


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, max_size=14), st.booleans())
@example(
    [("poll", 1), ("grow", 1), ("drop", 2), ("reorg", 6), ("shorter", 2), ("grow", 1), ("poll", 1), ("reorg", 8)], False
).via("a log whose last notifications hold few heights")
def test_the_log_ends_up_as_the_nodes_chain_whatever_happened(actions: list[tuple[str, int]], orphans: bool) -> None:
    with patch("streams.producer.loop.FIRST_PAUSE", 0.0), patch("streams.producer.loop.ATTEMPTS", 1_000):
        asyncio.run(play(actions, orphans))
