"""The trace of the comparison of batch sizes, and what counts as in time."""

from __future__ import annotations

import pytest

from perf.batching import DOCUMENT, NOTE, PERIOD, Seen, trace


def test_both_kinds_make_bursts_of_the_work_that_was_asked_for() -> None:
    dues = trace(12, note=0.001, document=0.03, work=[1.0, 1.4])
    assert dues == sorted(dues, key=lambda due: due.at)
    bursts = [due for due in dues if due.count > 1]
    assert len(bursts) == 12 / PERIOD
    assert {due.words for due in bursts} == {NOTE, DOCUMENT}
    for burst, work in zip(bursts, [1.0, 1.4] * 3, strict=True):
        assert burst.count * (0.001 if burst.words == NOTE else 0.03) == pytest.approx(work, rel=0.02)


def test_what_is_late_is_done_but_does_not_count() -> None:
    seen = Seen([(8, 0.2), (190, 1.2), (190, 0.9), (8, 1.0)], transactions=2, seconds=2.0)
    assert seen.goodput(1.0) == ((8 + 190 + 8) / 2, 3 / 2)
