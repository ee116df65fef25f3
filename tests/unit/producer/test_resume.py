from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streams.core.block import BlockRef
from streams.errors import LogIntegrityError
from streams.producer.loop import BlockProducer
from streams.producer.records import Stager
from streams.producer.resume import replay
from streams.settings import ChainSettings
from streams.signing import Signer
from tests.chains import CHAIN_ID, ScriptedSource, chain
from tests.memory_log import MemoryLog

Records = list[dict[str, Any]]


@pytest.fixture
async def history() -> Records:
    """0..20, a reorg of 4, finality: every step is in it."""
    source, log = ScriptedSource(chain(20)), MemoryLog()
    settings = ChainSettings(finality_depth=6)
    for _ in range(2):
        await BlockProducer(source, log, Stager(CHAIN_ID, 1, Signer(bytes(32))), settings, CHAIN_ID, once=True).run()
        source.reorg(4, 6)
    return [dict(record) for record in log.notifications] + []


def test_wherever_reading_starts_the_end_is_the_same(history: Records) -> None:
    whole, sequence = replay(history)
    assert sequence == len(history)
    for start in range(len(history)):
        view, following = replay(history[start:])
        assert (view.tip, view.final, following) == (whole.tip, whole.final, sequence)
        assert view.blocks == whole.blocks[len(whole.blocks) - len(view.blocks) :]


def test_an_empty_log_is_an_empty_view() -> None:
    view, sequence = replay([])
    assert (view.blocks, view.final, sequence) == ((), None, 0)


def cut(records: Records) -> Records:
    return records[:5] + records[6:]


def swapped(records: Records) -> Records:
    return [*records[:5], records[6], records[5], *records[7:]]


def doubled(records: Records) -> Records:
    return [*records[:6], *records[5:]]


def other_branch(records: Records) -> Records:
    stray = BlockRef(records[5]["block"]["number"], b"\xee" * 32, b"\xdd" * 32).record()
    return [*records[:5], {**records[5], "block": stray, "head": stray}, *records[6:]]


def false_tip(records: Records) -> Records:
    return [*records[:-1], {**records[-1], "head": records[3]["head"]}]


@pytest.mark.parametrize("damage", [cut, swapped, doubled, other_branch, false_tip])
def test_a_damaged_log_is_refused(history: Records, damage: Callable[[Records], Records]) -> None:
    with pytest.raises(LogIntegrityError, match=r"chain\.blocks does not fit together"):
        replay(damage(history))
