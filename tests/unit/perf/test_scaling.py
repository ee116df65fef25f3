"""The benchmark of several workers, small: they share the work, and what came out is counted."""

from __future__ import annotations

import argparse

import psutil
import pytest

from perf.scaling import Run, numbers, run, show


@pytest.mark.kafka
def test_two_workers_share_what_is_visible_at_one_moment(broker: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(broker, psutil.Process(), workers=2, blocks=4, per_block=5, partitions=2)
    assert (found.workers, found.rows) == (2, 40)
    assert found.wall > 0
    assert found.cpu > 0


def test_efficiency_is_against_as_many_times_one_worker(capsys: pytest.CaptureFixture[str]) -> None:
    show([Run(1, 1_000, 1.0, 0.5, 0.1), Run(4, 1_000, 0.5, 1.0, 0.1)], cores=2)
    out = capsys.readouterr().out
    assert "2 cores" in out
    assert out.splitlines()[-2].split() == ["4", "1,000", "0.50", "2,000", "2.00", "0.50", "1,000", "0.10"]
    assert "With 4 workers" in out


@pytest.mark.parametrize("text", ["", "0,1", "a"])
def test_numbers_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises((argparse.ArgumentTypeError, ValueError)):
        numbers(text)
