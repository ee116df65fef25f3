"""The measure of alerts, once through with few events."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from perf.alerting import measure, report


async def test_each_event_is_told_once_and_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = argparse.Namespace(events=2, rules=4, series=20, interval=0.2)
    found, receiver = await measure(args, tmp_path)
    assert {state: len(seconds) for state, seconds in found.moved.items()} == {"firing": 2, "resolved": 2}
    found.moved = {"firing": [0.3, 0.9], "resolved": [0.4, 0.5]}  # this machine may be busy
    report(args, found, receiver)
    assert "goal 1000 ms" in capsys.readouterr().out
    found.moved["resolved"][1] = 1.2
    with pytest.raises(SystemExit, match=r"the goal of 1000 ms .* resolved 1200 ms"):
        report(args, found, receiver)
    receiver.calls["Bench1", "firing"].append(0.0)
    with pytest.raises(SystemExit, match="not told once each"):
        report(args, found, receiver)
