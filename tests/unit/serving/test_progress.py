"""Where stream agents stand, folded from the checkpoints topic."""

from __future__ import annotations

from types import SimpleNamespace

from schemas.codec import codec
from streams.core.block import ZERO_HASH, BlockRef
from streams.core.chain import LiveBlock
from streams.core.checkpoint import NOWHERE, TIP, Checkpoint
from streams.serving.progress import ProgressTail, Standing
from streams.settings import KafkaSettings
from tests.steps import block

FIRST = block(1, 0, bytes(32))


def record(slot: str, at: BlockRef, offset: int, *, key: bytes | None = None, value: bytes | None = None) -> SimpleNamespace:
    live = LiveBlock(at, 3, offset, offset, 0, ZERO_HASH)
    checkpoint = Checkpoint("memory", 2, slot, "chain.transactions", live, {"memory.commands": offset})
    encoded = codec().encode("Checkpoint", checkpoint.record())
    return SimpleNamespace(
        key=key or checkpoint.key, value=encoded if value is None else value, partition=2, offset=offset, timestamp=0
    )


async def standing(*records: SimpleNamespace) -> Standing | None:
    tail = ProgressTail(KafkaSettings(), 1)
    await tail._fold(records)
    assert len(tail._standings) <= 1
    return tail._standings.get(b"memory/2/tip")


async def test_the_last_tip_counts_and_other_slots_do_not() -> None:
    found = await standing(record(TIP, FIRST, 4), record(TIP, block(2, 0, FIRST.hash), 9), record("7", FIRST, 11))
    assert found == Standing({"memory.commands": 9}, block(2, 0, FIRST.hash))


async def test_before_the_first_block() -> None:
    assert await standing(record(TIP, NOWHERE, 4)) == Standing({"memory.commands": 4}, None)


async def test_garbage_and_what_is_another_keys_are_passed_over() -> None:
    wrong = [
        record(TIP, FIRST, 5, value=b"garbage"),
        record("7", FIRST, 6, key=b"memory/2/tip"),
        SimpleNamespace(key=None, value=b"", partition=2, offset=7, timestamp=0),
    ]
    assert await standing(record(TIP, FIRST, 4), *wrong) == Standing({"memory.commands": 4}, FIRST)


async def test_a_tombstone_takes_it_away() -> None:
    tip = record(TIP, FIRST, 4)
    assert await standing(tip, SimpleNamespace(key=tip.key, value=None, partition=2, offset=5, timestamp=0)) is None
