"""What is missing is named, installed only where that may be, and its absence fails nothing."""

import subprocess
from pathlib import Path

import pytest

from infra import system


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on whose path is nothing but a recording apt-get."""
    monkeypatch.setattr(
        system.shutil, "which", lambda name, path=None: str(tmp_path / name) if (tmp_path / name).exists() else None
    )
    (tmp_path / "apt-get").touch()
    monkeypatch.setattr(system, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(system, "_is_root", lambda: True)
    return tmp_path


def recording(monkeypatch: pytest.MonkeyPatch, code: int, effect=lambda: None) -> list[list[str]]:
    calls: list[list[str]] = []

    def run(line, **_):
        calls.append(line)
        effect()
        return subprocess.CompletedProcess(line, code, "", "E: Unable to locate package")

    monkeypatch.setattr(system.subprocess, "run", run)
    return calls


def test_a_list_has_names_and_comments() -> None:
    assert system.packages("# why\nchromium\n\nprometheus  # a server\n") == ["chromium", "prometheus"]
    assert system.packages(system.LIST.read_text())


def test_what_is_there_is_left_alone(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in system.packages(system.LIST.read_text()):
        (bare / name).touch()
    calls = recording(monkeypatch, 0)
    assert system.ensure()
    assert not calls


def test_what_is_missing_is_installed_and_no_service_starts(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def installed() -> None:
        seen.append((bare / "policy-rc.d").read_text())
        for name in system.packages(system.LIST.read_text()):
            (bare / name).touch()

    calls = recording(monkeypatch, 0, installed)
    assert system.ensure()
    assert len(calls) == 1
    assert "chromium" in calls[0]
    assert seen == [system.REFUSE_SERVICES]
    assert not (bare / "policy-rc.d").exists()


def test_a_machine_that_gets_nothing_is_told_so(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = recording(monkeypatch, 100)
    assert not system.ensure()
    assert ["update" in line for line in calls] == [False, True, False]
    assert "not installed: chromium" in capsys.readouterr().err


@pytest.mark.parametrize("reason", ["off", "not root", "no apt"])
def test_nothing_is_installed_where_it_may_not_be(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    if reason == "off":
        monkeypatch.setenv(system.OFF, "off")
    elif reason == "not root":
        monkeypatch.setattr(system, "_is_root", lambda: False)
    else:
        (bare / "apt-get").unlink()
    calls = recording(monkeypatch, 0)
    assert not system.ensure()
    assert not calls
    assert "apt-get install --no-install-recommends chromium" in capsys.readouterr().err
