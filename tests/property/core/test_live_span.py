"""Heights of a log that grows and shrinks: what stands there at the end, and no more than that is held."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.block import ZERO_HASH, BlockRef
from streams.core.chain import LiveBlock, LiveSpan

FIRST = 100
GENESIS = BlockRef(FIRST - 1, b"g" * 32, ZERO_HASH)


def block(number: int, fork: int, parent: LiveBlock | None) -> LiveBlock:
    """Its time tells the fork, so that a time of another one's shows."""
    ref = BlockRef(number, f"{number}/{fork}".encode().ljust(32), parent.block.hash if parent else GENESIS.hash)
    return LiveBlock(
        ref, fork, fork, fork, 0, ZERO_HASH, time=1_000 * number + fork, parent_time=parent.time if parent else None
    )


@given(
    moves=st.lists(st.integers(-6, 6), max_size=40),
    low=st.integers(FIRST - 2, FIRST + 12),
    width=st.integers(0, 12),
)
def test_a_span_holds_what_stands_at_its_heights(moves: list[int], low: int, width: int) -> None:
    whole: list[LiveBlock] = []
    span = LiveSpan(low, low + width)
    for fork, move in enumerate(moves):
        for _ in range(max(0, move)):
            whole.append(block(FIRST + len(whole), fork, whole[-1] if whole else None))
            seen = span.time
            span.push(
                LiveBlock(whole[-1].block, fork, fork, fork, 0, ZERO_HASH, time=whole[-1].time, parent_time=seen)
            )  # as a survey does: the parent's time is what the span says it is
        if move < 0 and whole:
            del whole[max(0, len(whole) + move) :]
            span.drop(whole[-1].block if whole else GENESIS)
        expected = [one for one in whole if one.block.number in range(low, low + width + 1)]
        found = span.chain().newest(width + 1)[::-1]
        assert [one.block for one in found] == [one.block for one in expected]
        assert [one.time for one in found] == [one.time for one in expected]
        for at, one in enumerate(found):
            parents = {expected[at].parent_time, None} if at == 0 or one.parent_time is None else {expected[at].parent_time}
            assert one.parent_time in parents
        assert span.time in {whole[-1].time if whole else None, None}
