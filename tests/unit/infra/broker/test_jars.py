"""The jar folder believes hashes only: cut, altered and missing jars are fetched again, and a wrong one never gets its name."""

from __future__ import annotations

import errno
import hashlib
import shutil
import threading
from pathlib import Path

import pytest

from infra.broker.download import fetch
from infra.broker.errors import DiskFullError, JarLockError, JarsUnavailableError, NotWritableError
from infra.broker.jars import ATTEMPTS, LOCK, Jar, JarFolder, parse_lock

BYTES = {"a": b"jar a" * 1000, "b": b"jar b" * 1000}


def lock() -> tuple[Jar, ...]:
    return tuple(Jar(f"org.x:{name}:1.0", f"{name}-1.0.jar", hashlib.sha256(data).hexdigest()) for name, data in BYTES.items())


class Repository:
    """Stands for the network: serves BYTES, but ``broken`` names come out wrong as often as told."""

    def __init__(self, broken: dict[str, list[bytes | None]] | None = None) -> None:
        self.broken = broken or {}
        self.asked: list[str] = []

    def __call__(self, coordinate: str, scratch: Path, attempt: int) -> Path:
        name = coordinate.split(":")[1]
        self.asked.append(name)
        data: bytes | None = BYTES[name]
        if self.broken.get(name):
            data = self.broken[name].pop(0)
        if data is None:
            raise JarsUnavailableError("the repository does not answer")
        scratch.mkdir(parents=True)
        path = scratch / f"{name}-1.0.jar"
        path.write_bytes(data)
        return path


def test_committed_lock_is_one_consistent_kafka() -> None:
    jars = parse_lock(LOCK.read_text())
    versions = {
        jar.coordinate.split(":")[1]: jar.coordinate.split(":")[2] for jar in jars if "org.apache.kafka" in jar.coordinate
    }
    assert len(jars) == 45
    assert versions["kafka_2.13"] == "4.4.0"
    assert set(versions.values()) == {"4.4.0"}


@pytest.mark.parametrize(
    "line",
    [
        "org.x:a:1.0 a-1.0.jar",
        f"org.x:a:1.0 b-1.0.jar {'0' * 64}",
        f"org.x:a:1.0 a-1.0.jar {'0' * 63}",
        f"org.x:a a-1.0.jar {'0' * 64}",
        f"org.x:../a:1.0 ../a-1.0.jar {'0' * 64}",
    ],
)
def test_lock_lines_that_are_refused(line: str) -> None:
    with pytest.raises(JarLockError, match="line 2"):
        parse_lock("# comment\n" + line)


def test_empty_or_doubled_lock_is_refused() -> None:
    good = f"org.x:a:1.0 a-1.0.jar {'0' * 64}\n"
    with pytest.raises(JarLockError, match="no jar"):
        parse_lock("# nothing\n")
    with pytest.raises(JarLockError, match="twice"):
        parse_lock(good + good)


def test_fetches_once_then_never(tmp_path: Path) -> None:
    repository = Repository()
    seen: list[tuple[int, int, str]] = []
    folder = JarFolder(tmp_path / "jars", lock(), repository)
    assert folder.ensure(lambda *step: seen.append(step)) == 2
    assert folder.ensure() == 0
    assert sorted(repository.asked) == ["a", "b"]
    assert [step[:2] for step in seen] == [(0, 2), (1, 2), (2, 2)]
    assert sorted(path.name for path in folder.path.iterdir()) == [".lock", "a-1.0.jar", "b-1.0.jar"]


@pytest.mark.parametrize("damage", [b"", BYTES["a"][:100], b"X" + BYTES["a"][1:]])
def test_cut_or_altered_jar_in_place_is_repaired(tmp_path: Path, damage: bytes) -> None:
    repository = Repository()
    folder = JarFolder(tmp_path, lock(), repository)
    folder.ensure()
    (tmp_path / "a-1.0.jar").write_bytes(damage)
    assert [jar.file for jar in folder.unusable()] == ["a-1.0.jar"]
    assert folder.ensure() == 1
    assert (tmp_path / "a-1.0.jar").read_bytes() == BYTES["a"]


def test_half_download_is_fetched_again(tmp_path: Path) -> None:
    repository = Repository({"a": [BYTES["a"][:77], None]})
    JarFolder(tmp_path, lock(), repository).ensure()
    assert repository.asked.count("a") == 3
    assert (tmp_path / "a-1.0.jar").read_bytes() == BYTES["a"]


def test_wrong_bytes_every_time_give_up_and_keep_what_is_good(tmp_path: Path) -> None:
    repository = Repository({"a": [b"evil"] * ATTEMPTS})
    folder = JarFolder(tmp_path, lock(), repository)
    with pytest.raises(JarsUnavailableError, match=r"org\.x:a:1\.0.*the lock says") as caught:
        folder.ensure()
    assert "MONMOUTH_JARS" in caught.value.hint
    assert not (tmp_path / "a-1.0.jar").exists()
    assert not list(tmp_path.glob(".download-*"))


def test_full_disk_is_said_before_fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("infra.broker.jars.shutil.disk_usage", lambda _path: usage._replace(free=5 << 20))
    with pytest.raises(DiskFullError, match="5 MiB free"):
        JarFolder(tmp_path, lock(), repository).ensure()
    assert repository.asked == []


def test_disk_that_fills_up_while_fetching(tmp_path: Path) -> None:
    def full(_coordinate: str, _scratch: Path, _attempt: int) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFullError, match="is full"):
        JarFolder(tmp_path, lock(), full).ensure()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritableError, match="cannot keep"):
        JarFolder(tmp_path / "file" / "jars", lock(), Repository()).ensure()


def test_two_at_once_fetch_each_jar_once(tmp_path: Path) -> None:
    repository = Repository()
    threads = [threading.Thread(target=JarFolder(tmp_path, lock(), repository).ensure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(repository.asked) == ["a", "b"]


def test_no_network_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real downloader against a proxy that nobody runs."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr("infra.broker.download.default_maven_repo", lambda: tmp_path / "m2")
    with pytest.raises(JarsUnavailableError, match="does not answer"):
        fetch("org.slf4j:slf4j-api:1.7.36", tmp_path / "scratch", 0)


def test_local_maven_cache_is_used_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = tmp_path / "m2" / "org" / "x" / "a" / "1.0" / "a-1.0.jar"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(BYTES["a"])
    monkeypatch.setattr("infra.broker.download.default_maven_repo", lambda: tmp_path / "m2")
    found = fetch("org.x:a:1.0", tmp_path / "scratch", 0)
    assert found.read_bytes() == BYTES["a"]
    assert found.is_relative_to(tmp_path / "scratch")
    assert cached.exists()
