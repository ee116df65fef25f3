"""Times of blocks by number."""

from __future__ import annotations

from streams.core.block_times import BlockTimes


def test_times_follow_the_chain() -> None:
    times = BlockTimes()
    assert times.of(5) is None
    for number in range(5, 9):
        times.add(number, 100 + number)
    assert [times.of(number) for number in (4, 5, 8, 9)] == [None, 105, 108, None]
    times.cut(6)
    assert [times.of(number) for number in (6, 7)] == [106, None]
    times.add(7, 200)
    assert times.of(7) == 200
    times.cut(2)
    assert times.of(5) is None
    times.add(3, 7)
    assert times.of(3) == 7


def test_a_tip_that_does_not_follow_begins_anew() -> None:
    times = BlockTimes()
    times.add(5, 1)
    times.add(9, 2)
    assert (times.of(5), times.of(9)) == (None, 2)


def test_the_oldest_go_first_and_the_ring_is_bounded() -> None:
    times = BlockTimes(limit=4)
    for number in range(100):
        times.add(number, number)
        assert all(times.of(n) == n for n in range(max(0, number - 3), number + 1))
    assert times.of(50) is None
