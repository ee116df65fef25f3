"""The command as a user meets it: help, wrong settings, no trace for a mistake, quick start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.codec import Codec, codec
from streams.cli import COMMANDS, main


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_loads_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert "Usage:" in capsys.readouterr().out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


def test_wrong_settings_are_named_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "monmouth.toml").write_text("[kafka]\npartitions = 0\n")
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "infra", "status"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "kafka.partitions" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "monmouth.toml").write_text("= nonsense")
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "infra", "status"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "not TOML" in done.stderr
    assert "Traceback" not in done.stderr


def test_schemas_are_held_back_by_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[Codec] = []
    monkeypatch.setattr("schemas.codec.use", chosen.append)
    assert main(["topics", "list", "--help"]) == 0
    assert chosen == []
    newest = codec().newest
    monkeypatch.setenv("MONMOUTH_KAFKA__NEWEST_SCHEMA", str(newest - 1))
    assert main(["topics", "list", "--help"]) == 0
    assert [(one.newest, one.bound) for one in chosen] == [(newest, newest - 1)]


def test_importing_the_package_is_quick() -> None:
    code = "import time; t = time.process_time(); import streams; print(time.process_time() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1
