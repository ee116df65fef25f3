"""The programs of the server: a folder filled once from the package the committed lock names.

The package is fetched by pip, which compares its hash, and is not installed: what it requires (an old client) would replace
what this product uses. Invariant: the folder has its final name only after everything was unpacked, and each file has the size
it was unpacked with, or it is fetched anew.
"""

from __future__ import annotations

import errno
import json
import lzma
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import mkdtemp

from infra.broker.exclusive import exclusive
from infra.milvus.errors import MilvusError, ServerUnavailableError

LOCK = Path(__file__).with_name("milvus.lock")
SPACE = 512 << 20  # bytes: the package, and its programs, which are packed in it
FETCH_TIMEOUT = 600  # seconds
PROGRAM = "milvus"
MANIFEST = "manifest.json"
_PACKED, _SUFFIX = "milvus/data/bin/", ".lzma"


def locked_version(text: str) -> str:
    """The version in a lock: one line ``milvus==VERSION --hash=sha256:...``. Raises MilvusError for anything else."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1 or len(lines[0]) != 2 or not lines[0][0].startswith("milvus==") or "--hash=sha256:" not in lines[0][1]:
        raise MilvusError("milvus.lock is damaged: it should name one package with its SHA-256")
    return lines[0][0].removeprefix("milvus==")


class ServerFolder:
    """The programs below ``parent``. Safe for several processes at once: one fetches, the others wait."""

    def __init__(self, parent: Path, lock: Path = LOCK) -> None:
        self._lock = lock
        self._parent = parent
        self.path = parent / locked_version(lock.read_text())

    @property
    def program(self) -> Path:
        return self.path / PROGRAM

    def complete(self) -> bool:
        """Whether every program is there, with the size it was unpacked with."""
        try:
            sizes = json.loads((self.path / MANIFEST).read_text())
            return PROGRAM in sizes and all((self.path / name).stat().st_size == size for name, size in sizes.items())
        except (OSError, ValueError, TypeError):
            return False

    def ensure(self) -> bool:
        """Makes it complete; whether anything was fetched. Raises ServerUnavailableError, MilvusError."""
        if self.complete():
            return False
        if sys.platform != "linux" or platform.machine() != "x86_64":
            raise ServerUnavailableError(
                f"the packaged Milvus server runs on Linux (x86-64), not on {sys.platform} ({platform.machine()})",
                "Name a server of your own in rag.vector_store_url, or leave it empty for the embedded store.",
            )
        try:
            self._parent.mkdir(parents=True, exist_ok=True)
            with exclusive(self._parent / ".lock", FETCH_TIMEOUT, "another process fetching the Milvus server"):
                if not self.complete():
                    self._fetch()
        except OSError as error:
            cause = "the disk is full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else error.strerror or str(error)
            raise MilvusError(f"cannot keep the Milvus server in {self._parent}: {cause}", _ELSEWHERE) from None
        return True

    def _fetch(self) -> None:
        if (free := shutil.disk_usage(self._parent).free) < SPACE:
            raise MilvusError(f"{free >> 20} MiB free at {self._parent}; the Milvus server needs {SPACE >> 20} MiB", _ELSEWHERE)
        scratch = Path(mkdtemp(prefix=".download-", dir=self._parent))
        try:
            fresh = scratch / "unpacked"
            unpack(self._download(scratch), fresh)
            shutil.rmtree(self.path, ignore_errors=True)
            fresh.rename(self.path)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _download(self, scratch: Path) -> Path:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", "-q", "-d", str(scratch), "-r", str(self._lock)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            raise ServerUnavailableError(f"the Milvus server was not fetched within {FETCH_TIMEOUT} s", _AGAIN) from None
        found = list(scratch.glob("milvus-*.whl"))
        if done.returncode or len(found) != 1:
            said = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise ServerUnavailableError(f"the Milvus server cannot be fetched: {said}", _AGAIN)
        return found[0]


def unpack(package: Path, folder: Path) -> None:
    """Unpacks the programs of ``package`` into ``folder`` and notes their sizes. Raises MilvusError if it holds none."""
    folder.mkdir()
    sizes: dict[str, int] = {}
    try:
        with zipfile.ZipFile(package) as archive:
            packed = [name for name in archive.namelist() if name.startswith(_PACKED) and name.endswith(_SUFFIX)]
            for name in packed:
                target = folder / Path(name.removesuffix(_SUFFIX)).name
                with archive.open(name) as source, lzma.open(source) as plain, target.open("wb") as file:
                    shutil.copyfileobj(plain, file)
                target.chmod(0o755)
                sizes[target.name] = target.stat().st_size
    except (zipfile.BadZipFile, lzma.LZMAError, EOFError) as error:
        raise MilvusError(f"{package.name} is not the package it should be: {error}", _AGAIN) from None
    if PROGRAM not in sizes:
        raise MilvusError(f"{package.name} holds no {PROGRAM}", _AGAIN)
    (folder / MANIFEST).write_text(json.dumps(sizes))


_ELSEWHERE = "Free some space, or choose another place with MONMOUTH_STATE_DIR or MONMOUTH_MILVUS."
_AGAIN = (
    "Check the network and try again. Without a network, copy a complete folder from another machine and name its parent with "
    "MONMOUTH_MILVUS."
)
