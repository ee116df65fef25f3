from __future__ import annotations

import pytest

from streams.core.watermark import Watermark, WatermarkError


def test_a_commit_may_not_pass_unprocessed_work() -> None:
    mark = Watermark(10)
    mark.received([10, 11, 14])
    mark.settled(2)
    with pytest.raises(WatermarkError, match="covers 3 records, but 2 were settled"):
        mark.commit(15)
    mark.commit(13)
    assert (mark.position, mark.pending) == (13, 1)


def test_a_commit_may_not_go_back_or_lag() -> None:
    mark = Watermark(10)
    mark.received([10, 11])
    mark.settled(2)
    with pytest.raises(WatermarkError):
        mark.commit(11)
    with pytest.raises(WatermarkError):
        mark.commit(9)


def test_records_come_in_order_and_are_settled_once() -> None:
    mark = Watermark(10)
    with pytest.raises(WatermarkError, match="offset 9 was received after 9"):
        mark.received([9])
    mark.received([10])
    with pytest.raises(WatermarkError, match="offset 10 was received after 10"):
        mark.received([10])
    with pytest.raises(WatermarkError, match="2 records settled of 1"):
        mark.settled(2)
