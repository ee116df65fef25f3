from __future__ import annotations

import pytest

from streams.core.block import BlockRef
from streams.core.forkview import ForkView, finalize
from streams.producer.plan import RewindWatch, Standing, extension, finality, settled, standing
from tests.chains import chain, child

BLOCKS = chain(10)
REFS = [block.ref for block in BLOCKS]
VIEW = ForkView(tuple(REFS[:9]))
FORK = child(REFS[4], salt=1).ref


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (REFS[8], Standing.CURRENT), (REFS[3], Standing.ANCESTOR), (FORK, Standing.LOWER), (REFS[9], Standing.UNKNOWN),
        (BlockRef(8, b"\x01" * 32, b"\x02" * 32), Standing.UNKNOWN),
    ],
)  # fmt: skip
def test_how_a_head_stands(head: BlockRef, expected: Standing) -> None:
    assert standing(VIEW, head) is expected
    assert standing(ForkView(), head) is Standing.EMPTY


def test_extension_stops_where_the_source_changed_its_mind() -> None:
    other = child(REFS[6], salt=1)
    assert extension(REFS[4], [*BLOCKS[5:7], other, child(other.ref)]) == [*BLOCKS[5:7], other, child(other.ref)]
    assert extension(REFS[4], [*BLOCKS[5:7], BLOCKS[8]]) == BLOCKS[5:7]
    assert extension(REFS[4], BLOCKS[6:]) == []
    assert extension(None, BLOCKS[2:5]) == BLOCKS[2:5]
    assert extension(REFS[4], []) == []


def test_confirmations_must_name_the_same_head_in_a_row() -> None:
    watch = RewindWatch().seen(REFS[3]).seen(REFS[3])
    assert watch.polls == 2
    assert watch.seen(REFS[4]).polls == 1


def test_settled_is_the_tag_or_the_depth_and_never_above_the_head() -> None:
    assert settled(REFS[9], None, 4) == 5
    assert settled(REFS[9], REFS[2], 4) == 2
    assert settled(REFS[5], REFS[9], 4) == 5


def test_finality_follows_a_tag_on_our_branch() -> None:
    assert finality(VIEW, REFS[5], 5, fresh=False) == REFS[5]
    assert finality(finalize(VIEW, REFS[6]), REFS[5], 5, fresh=False) is None
    assert finality(VIEW, FORK, FORK.number, fresh=False) is None


def test_finality_above_the_tip_counts_only_for_what_was_just_read() -> None:
    assert finality(VIEW, REFS[10], 10, fresh=True) == REFS[8]
    assert finality(VIEW, REFS[10], 10, fresh=False) is None
    assert finality(VIEW, REFS[10], 8, fresh=False) is None
    assert finality(VIEW, None, -3, fresh=True) is None
    assert finality(ForkView(), None, 5, fresh=True) is None
