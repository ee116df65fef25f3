"""The command: a table and an exit code; what is no history is refused with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.checker.__main__ import main
from tests.checker.clean import PLAN, history
from tests.checker.corrupt import CORRUPTIONS
from tests.checker.events import Entry, Kill
from tests.checker.history import History, HistoryError, read, write
from tests.checker.measures import percentile
from tests.checker.report import check


@pytest.mark.parametrize("name", ["history.jsonl", "history.jsonl.gz"])
def test_a_clean_history(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    clean = history(PLAN)
    write(tmp_path / name, clean.events)
    assert read([tmp_path / name]) == clean
    assert main([str(tmp_path / name)]) == 0
    shown = capsys.readouterr().out
    assert "lost write                 0" in shown
    assert "amplification of agent: 1.00" in shown
    assert "recovery: 1 of 1 faults" in shown
    assert shown.endswith("clean\n")


def test_an_anomaly_fails_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = CORRUPTIONS["a lost row"][1](history(PLAN), 0)
    assert wrong is not None
    write(tmp_path / "a.jsonl", wrong.events[:100])
    write(tmp_path / "b.jsonl", wrong.events[100:])
    assert main([str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]) == 1
    assert "store: b0.0 is missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense", "2: : Invalid JSON"),
        ('{"type": "sent"}', "does not match any of the expected tags"),
        ('{"type": "ack", "transaction": 5}', "ack.transaction"),
        ('{"type": "ack", "transaction": "t", "more": 1}', "ack.more"),
        ('{"type": "commit", "group": "g", "topic": "t", "partition": -1, "position": 0}', "commit.partition"),
    ],
)
def test_what_is_no_history_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, why: str) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text(json.dumps({"type": "start", "process": "p"}) + "\n" + line + "\n")
    assert main([str(path)]) == 2
    shown = capsys.readouterr().err
    assert "broken.jsonl:2:" in shown
    assert why in shown


def test_no_file_and_no_argument(tmp_path: Path) -> None:
    assert main([str(tmp_path / "none")]) == 2
    assert main([]) == 2


def test_an_entry_of_a_log_nobody_read_whole_is_refused() -> None:
    with pytest.raises(HistoryError, match="t/0 has an entry at 3"):
        check(History((Entry(topic="t", partition=0, offset=3, id="x"),)))


def test_a_fault_nobody_recovered_from_has_no_time() -> None:
    clean = history(PLAN)
    end = clean.events[-1].at
    struck = History((Kill(process="p", fault="late", at=end + 1), *clean.events))
    assert [r.seconds for r in check(struck).recoveries if r.fault == "late"] == [None]


def test_percentiles_are_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values[:3], 0.99)) == (50.0, 99.0, 3.0)
    assert percentile([], 0.5) is None
