"""A start-up cache is used only if it fits and is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.broker.jars import Jar, JarFolder
from infra.broker.java import Java, find_java
from infra.broker.startup_cache import StartupCache


@pytest.fixture
def jars(tmp_path: Path) -> JarFolder:
    return JarFolder(tmp_path, (Jar("g:a:1", "a-1.jar", "0" * 64),))


@pytest.fixture
def java() -> Java:
    return Java(Path("/bin/true"), 25, "build one")  # accepts any cache, so that only our own checks decide


def adopted(cache: StartupCache, tmp_path: Path, data: bytes = b"cache" * 100) -> Path:
    recorded = tmp_path / "recorded"
    recorded.write_bytes(data)
    assert cache.adopt(recorded)
    assert not recorded.exists()
    found = cache.find()
    assert found is not None
    return found


def test_adopted_cache_is_found_by_the_same_java_options_and_jars_only(tmp_path: Path, jars: JarFolder, java: Java) -> None:
    found = adopted(StartupCache(jars, java, ["-X"]), tmp_path)
    assert StartupCache(jars, java, ["-X"]).find() == found
    assert StartupCache(jars, java, ["-Y"]).find() is None
    assert StartupCache(jars, Java(java.path, 25, "build two"), ["-X"]).find() is None
    assert StartupCache(JarFolder(tmp_path, (Jar("g:a:1", "a-1.jar", "1" * 64),)), java, ["-X"]).find() is None


def test_damaged_cache_is_ignored_and_removed(tmp_path: Path, jars: JarFolder, java: Java) -> None:
    cache = StartupCache(jars, java, [])
    found = adopted(cache, tmp_path)
    found.write_bytes(b"C" + found.read_bytes()[1:])
    assert cache.find() is None
    assert not found.exists()


def test_a_new_cache_replaces_the_old(tmp_path: Path, jars: JarFolder, java: Java) -> None:
    first = adopted(StartupCache(jars, java, ["-X"]), tmp_path)
    second = adopted(StartupCache(jars, java, ["-Y"]), tmp_path, b"other")
    assert not first.exists()
    assert second.exists()


def test_what_java_refuses_is_not_kept(tmp_path: Path, jars: JarFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real Java and a file that is no cache."""
    monkeypatch.delenv("MONMOUTH_JAVA", raising=False)
    cache = StartupCache(jars, find_java(), ["-XX:+UseSerialGC"])
    recorded = tmp_path / "recorded"
    recorded.write_bytes(b"half a cache")
    assert cache.adopt(recorded) is False
    assert not recorded.exists()
    assert not list(tmp_path.glob("*.aot"))


def test_nothing_recorded_is_nothing_adopted(tmp_path: Path, jars: JarFolder, java: Java) -> None:
    assert StartupCache(jars, java, []).adopt(tmp_path / "missing") is False
