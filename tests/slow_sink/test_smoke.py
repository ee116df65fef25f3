"""A short run on a real broker, and that the verdict says no."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slow_sink.run import Run
from tests.slow_sink.verdict import Sample, judge, rows
from tests.slow_sink.worker import IN_HAND


@pytest.mark.kafka
async def test_a_slow_store_is_waited_for_in_the_log_and_everything_arrives_once(broker: str, tmp_path: Path) -> None:
    report = await Run(broker, tmp_path, seconds=8.0, per_record=0.01, rate=100.0).run()
    assert report.records > 2_500
    verdict = judge(report.samples, report.changes)
    assert 0 < max(verdict.most_in_hand, verdict.most_at_changes) < 2 * IN_HAND
    assert verdict.growth < 24, "a fetch and what is in hand fit in that; what waits does not"
    assert report.samples[-1].waits > 3 * IN_HAND, "the store was not slow, so that nothing was shown"
    slowest, *others = report.committed
    assert min(others) > slowest, "one slow partition held the others up"


def samples(growth: float, in_hand: int = 10) -> list[Sample]:
    return [Sample(second, 100 + growth * second / 3600 + second % 3, in_hand, 0) for second in range(3600)]


def test_what_wobbles_is_flat_and_what_grows_is_not() -> None:
    assert judge(samples(0)).flat(IN_HAND)
    leak = judge(samples(60))
    assert leak.slope == pytest.approx(60, rel=0.05)
    assert leak.growth == pytest.approx(40, rel=0.05)
    assert not leak.flat(IN_HAND)
    assert not judge(samples(0, in_hand=IN_HAND + 1)).flat(IN_HAND)


@pytest.mark.parametrize(("in_hand", "flat"), [(2 * IN_HAND - 1, True), (2 * IN_HAND, False)])
def test_more_may_be_in_hand_for_a_moment_when_a_worker_leaves(in_hand: int, flat: bool) -> None:
    busy = [Sample(n, 100, in_hand if 600 <= n < 640 else 10, 0) for n in range(900)]
    assert judge(busy, [600.0]).flat(IN_HAND) is flat
    assert not judge(busy, [590.0 - 60]).flat(IN_HAND), "long after"


def test_what_fills_at_first_is_no_leak() -> None:
    assert judge([Sample(n, min(150.0, 50.0 + n), 0, 0) for n in range(600)]).flat(IN_HAND)


def test_the_table_is_short_and_has_the_end() -> None:
    table = rows(samples(0))
    assert len(table) <= 23
    assert "59.98" in table[-1]
