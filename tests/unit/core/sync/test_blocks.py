"""Sums of blocks, and the bisection over them."""

from __future__ import annotations

import math

from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from streams.core.sync.blocks import STRETCHES, BlockSums, shift_for
from streams.core.sync.search import first_difference

FACTS = st.lists(st.tuples(st.integers(0, 30), st.binary(min_size=32, max_size=32).filter(any)), max_size=30)


def chained(facts: list[tuple[int, bytes]], height: int = 30) -> list[bytes]:
    sums = BlockSums(height)
    for number, element in facts:
        sums.add(number, element)
    chain = sums.chain()
    return [chain[at] for at in range(len(chain))]


@given(FACTS, st.randoms(use_true_random=False))
def test_order_does_not_matter(facts: list[tuple[int, bytes]], random: object) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert chained(facts) == chained(shuffled)


@given(FACTS, st.integers(0, 30))
async def test_bisection_finds_the_first_block_that_differs(facts: list[tuple[int, bytes]], number: int) -> None:
    one, other = chained(facts), chained([*facts, (number, blake3(b"one more").digest())])
    asked = 0

    async def equal(at: int) -> bool:
        nonlocal asked
        asked += 1
        return one[at] == other[at]

    assert await first_difference(31, equal) == number
    assert asked <= math.log2(31) + 2


async def test_where_nothing_differs_one_question_is_enough() -> None:
    async def equal(at: int) -> bool:
        assert at == 6
        return True

    assert await first_difference(7, equal) == 7
    assert await first_difference(0, equal) == 0


@given(st.integers(0, 1 << 40))
def test_stretches_are_never_too_many(height: int) -> None:
    assert (height >> shift_for(height)) < STRETCHES
    assert shift_for(height) == 0 or (height >> (shift_for(height) - 1)) >= STRETCHES / 2
