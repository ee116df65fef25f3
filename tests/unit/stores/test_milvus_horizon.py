"""For which moment a read waits."""

from __future__ import annotations

import pytest

from connectors.stores.milvus.horizon import MOST_KEYS, Horizon


class Clock:
    """Another moment each time it is asked."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1
        return self.now


def test_who_is_never_told_asks_each_time() -> None:
    horizon = Horizon(Clock())
    assert [horizon.moment() for _ in range(3)] == [1, 2, 3]


def test_who_is_told_asks_once_for_each_news() -> None:
    horizon = Horizon(Clock())
    assert horizon.catch_up()
    assert not horizon.catch_up(), "no news: nobody has read since"
    assert [horizon.moment() for _ in range(3)] == [1, 1, 1]
    assert horizon.catch_up()
    assert horizon.moment() == 2


def test_own_rows_are_waited_for_where_they_are_read() -> None:
    horizon = Horizon(Clock(), told=True)
    assert horizon.moment() == 1
    horizon.wrote(["a", "b"])
    assert horizon.moment(["c"]) == 1
    assert horizon.moment([]) == 1
    assert horizon.moment(["c", "b"]) == 2
    assert horizon.moment(["a"]) == 2, "written before that moment"
    horizon.wrote(["d"])
    assert horizon.moment() == 3, "a search may meet any row"


def test_after_very_many_own_rows_any_may_be_one() -> None:
    horizon = Horizon(Clock(), told=True)
    assert horizon.moment() == 1
    horizon.wrote(map(str, range(MOST_KEYS)))
    assert horizon.moment(["x"]) == 1
    horizon.wrote(["one more"])
    assert horizon.moment(["x"]) == 2
    assert horizon.moment(["x"]) == 2


def test_a_moment_never_goes_back() -> None:
    moments = iter([5, 3, 9])
    horizon = Horizon(lambda: next(moments))
    assert [horizon.moment() for _ in range(3)] == [5, 5, 9]


def test_who_reads_while_another_asks_asks_too() -> None:
    """Else it would read for a moment before the news."""
    inner: list[int] = []
    horizon = Horizon(lambda: 0)
    clock = Clock()

    def present() -> int:
        if not inner:
            inner.append(0)
            inner[0] = horizon.moment()  # another thread's, in the middle of this question
        return clock()

    horizon._present = present
    horizon.catch_up()
    assert horizon.moment() == 2
    assert inner == [1], "not the moment of before, 0"
    horizon.catch_up()  # nor does it wait for the lock


def test_a_clock_that_fails_leaves_everything_to_be_waited_for() -> None:
    answers = iter([1, OSError("away"), 2])

    def present() -> int:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    horizon = Horizon(present, told=True)
    assert horizon.moment() == 1
    horizon.wrote(["a"])
    with pytest.raises(OSError, match="away"):
        horizon.moment(["a"])
    assert horizon.moment(["b"]) == 2, "nobody knows any more what was seen"
