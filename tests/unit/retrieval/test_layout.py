"""Who is whose neighbour."""

from __future__ import annotations

import numpy as np
import pytest

from streams.retrieval.layout import Layout, laid_out


def layout(thread: list[int], time: list[int], gap: int = -1) -> Layout:
    rows = len(thread)
    zero = np.zeros(rows, np.int64)
    return laid_out(np.array(thread), np.full(rows, gap), np.array(time), np.stack([zero, zero]), np.arange(rows))


def test_neighbours_are_of_the_same_thread_in_order_of_time() -> None:
    laid = layout([1, 2, 1, 1], [30, 20, 10, 20])
    assert laid.order.tolist() == [2, 3, 0, 1]
    value = np.array([1, 2, 4, 8], np.float32)
    assert laid.around(value, (1.0,)).tolist() == [2, 5, 2, 0]
    assert laid.around(value, (0.0, 0.5)).tolist() == [2, 0, 0.5, 0]
    assert laid.position[laid.order].tolist() == [0, 1, 2, 3]


def test_a_gap_ends_a_thread_where_it_has_one() -> None:
    assert layout([1, 1, 1], [0, 10, 100], gap=50).around(np.ones(3, np.float32), (1.0,)).tolist() == [1, 1, 0]
    assert layout([1, 1, 1], [0, 10, 100]).around(np.ones(3, np.float32), (1.0,)).tolist() == [1, 2, 1]


def test_a_thread_is_worth_the_mean_of_its_best() -> None:
    laid = layout([1, 1, 1, 1, 2], [1, 2, 3, 4, 1])
    found = laid.of_thread(np.array([0, 9, 3, 6, 5], np.float32))
    assert found.tolist() == pytest.approx([6, 6, 6, 6, 5])


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_few_rows(rows: int) -> None:
    laid = layout([1] * rows, list(range(rows)))
    assert len(laid.around(np.ones(rows, np.float32), (0.5, 0.4, 0.3, 0.2))) == rows
    assert len(laid.of_thread(np.ones(rows, np.float32))) == rows
