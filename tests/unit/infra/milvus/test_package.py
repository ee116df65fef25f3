"""The server's programs: only from the package of the lock, and only whole."""

from __future__ import annotations

import hashlib
import json
import lzma
import zipfile
from pathlib import Path

import pytest

from infra.milvus.errors import MilvusError, ServerUnavailableError
from infra.milvus.package import LOCK, PROGRAM, ServerFolder, locked_version


def package(folder: Path, program: bytes = b"the server") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "milvus-9.9.9-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("milvus/data/bin/milvus.lzma", lzma.compress(program))
        archive.writestr("milvus/data/bin/libx.so.1.lzma", lzma.compress(b"a library"))
        archive.writestr("milvus-9.9.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: milvus\nVersion: 9.9.9\n")
        archive.writestr("milvus-9.9.9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("milvus-9.9.9.dist-info/RECORD", "")
    return path


def lock(folder: Path, digest: str) -> Path:
    path = folder / "milvus.lock"
    path.write_text(f"# note\nmilvus==9.9.9 --hash=sha256:{digest}\n")
    return path


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip looks instead of the network."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    return tmp_path / "shelf"


def test_the_committed_lock_names_one_version() -> None:
    assert locked_version(LOCK.read_text()) == "2.3.5"
    for wrong in ("", "milvus==1", "other==1 --hash=sha256:0", "milvus==1 --hash=sha256:0\nmilvus==2 --hash=sha256:0"):
        with pytest.raises(MilvusError, match="damaged"):
            locked_version(wrong)


def test_it_is_fetched_once_and_again_where_a_file_is_cut(shelf: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(package(shelf).read_bytes()).hexdigest()
    folder = ServerFolder(tmp_path / "programs", lock(tmp_path, digest))
    assert folder.ensure()
    assert folder.program.read_bytes() == b"the server" and folder.program.stat().st_mode & 0o100
    assert not folder.ensure()
    (folder.path / "libx.so.1").write_bytes(b"a lib")
    assert not folder.complete()
    assert folder.ensure()
    assert sorted(p.name for p in (tmp_path / "programs").iterdir()) == [".lock", "9.9.9"]
    (folder.path / "manifest.json").write_text(json.dumps({"libx.so.1": 9}))
    assert not folder.complete(), "a folder without the program itself"


def test_another_package_than_the_locks_is_not_unpacked(shelf: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(package(shelf).read_bytes()).hexdigest()
    package(shelf, b"something else")
    folder = ServerFolder(tmp_path / "programs", lock(tmp_path, digest))
    with pytest.raises(ServerUnavailableError, match="cannot be fetched") as caught:
        folder.ensure()
    assert "MONMOUTH_MILVUS" in caught.value.hint
    assert not folder.path.exists()


def test_a_package_without_the_program(shelf: Path, tmp_path: Path) -> None:
    path = package(shelf)
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if not name.endswith("milvus.lzma")}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in kept.items():
            archive.writestr(name, data)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(MilvusError, match=f"holds no {PROGRAM}"):
        ServerFolder(tmp_path / "programs", lock(tmp_path, digest)).ensure()


def test_another_system_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.milvus.package.platform.machine", lambda: "aarch64")
    with pytest.raises(ServerUnavailableError, match="aarch64") as caught:
        ServerFolder(tmp_path / "programs").ensure()
    assert "vector_store_url" in caught.value.hint
