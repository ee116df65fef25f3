"""Output of processes is kept in files that do not grow without end."""

from pathlib import Path

import pytest

from streams.ops.recovery import programs
from streams.ops.recovery.ailments import Kind
from streams.ops.recovery.programs import Program, Programs


def test_output_that_becomes_long_is_put_aside_while_the_process_writes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "MOST_LOG", 100)
    found = Programs(tmp_path, [Program(name, Kind.WORKER, (), 0) for name in ("long", "short", "silent")])
    (tmp_path / "short.log").write_text("little")
    with (tmp_path / "long.log").open("a", buffering=1) as output:  # as a child's is opened: at the end, whatever it is
        for turn in range(3):
            output.write(f"{turn}" * 101 + "\n")
            found.trim_logs()
        output.write("after\n")
    assert (tmp_path / "long.log").read_text() == "after\n"
    assert (tmp_path / "long.log.1").read_text() == "2" * 101 + "\n"
    assert (tmp_path / "short.log").read_text() == "little"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.log", "long.log.1", "short.log"]
