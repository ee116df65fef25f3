"""The jars a local server runs on: a folder that holds what a committed lock names. Several servers may share one folder.

Assumes: the lock file is part of the product and trusted; the folder and the network are not.
Invariant: a jar has its final name only after its SHA-256 matched, so a cut or altered download is never on the class path;
a jar found with another hash is fetched anew.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from infra.broker.download import Download, fetch
from infra.broker.errors import BrokerError, DiskFullError, JarLockError, JarsUnavailableError, NotWritableError
from infra.broker.exclusive import exclusive

LOCK = Path(__file__).with_name("jars.lock")
ATTEMPTS = 3
PARALLEL = 4
SPACE = 128 * 1024 * 1024  # bytes: the jars and their temporary copies
PART = re.compile(r"[A-Za-z0-9._-]+")

OnJar = Callable[[int, int, str], None]
"""Progress: jars done, jars to fetch in all, file just done ("" at the beginning)."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock. ``coordinate``: group:artifact:version; ``sha256``: lower-case hex."""

    coordinate: str
    file: str
    sha256: str


def parse_lock(text: str) -> tuple[Jar, ...]:
    """Jars in class-path order. Raises JarLockError naming the first line that is not ``coordinate file sha256``."""
    jars: list[Jar] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split()
        if len(fields) != 3 or not _is_jar(*fields):
            raise JarLockError(f"jars.lock, line {number}: expected 'group:artifact:version file sha256', found {line!r}")
        jars.append(Jar(*fields))
    if not jars:
        raise JarLockError("jars.lock names no jar")
    if len({jar.file for jar in jars}) != len(jars):
        raise JarLockError("jars.lock names a file twice")
    return tuple(jars)


def _is_jar(coordinate: str, file: str, sha256: str) -> bool:
    parts = coordinate.split(":")
    return (
        len(parts) == 3
        and all(PART.fullmatch(part) for part in parts)
        and file == f"{parts[1]}-{parts[2]}.jar"
        and re.fullmatch(r"[0-9a-f]{64}", sha256) is not None
    )


def digest(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class JarFolder:
    """The jars of ``lock`` in ``path``, of ``whose`` server. Safe for several processes: one fetches, the others wait."""

    def __init__(
        self, path: Path, lock: Iterable[Jar] | None = None, download: Download = fetch, whose: str = "the broker's"
    ) -> None:
        self.path = path
        self.jars = tuple(lock) if lock is not None else parse_lock(LOCK.read_text())
        self._download = download
        self._whose = whose

    @property
    def fingerprint(self) -> str:
        """Names this set of jars: equal sets, equal fingerprints."""
        return hashlib.sha256("".join(f"{jar.file} {jar.sha256}\n" for jar in self.jars).encode()).hexdigest()

    @property
    def class_path(self) -> str:
        """Relative to ``path``, in lock order: the same text wherever the folder lies, as the start-up cache demands."""
        return os.pathsep.join(jar.file for jar in self.jars)

    def unusable(self) -> list[Jar]:
        """Jars that are missing or whose bytes are not the lock's."""
        return [jar for jar in self.jars if not self._good(jar)]

    def ensure(self, on_jar: OnJar | None = None) -> int:
        """Make the folder complete; the number of jars fetched.

        Raises JarsUnavailableError (no network, no such jar, wrong bytes each time), DiskFullError, NotWritableError.
        """
        if not self.unusable():
            return 0
        try:
            return self._complete(on_jar or (lambda _done, _all, _file: None))
        except OSError as error:
            raise self._explained(error) from None

    def _complete(self, on_jar: OnJar) -> int:
        self.path.mkdir(parents=True, exist_ok=True)
        with exclusive(self.path / ".lock", timeout=600, what="another process fetching the jars"):
            wanted = self.unusable()
            if wanted:
                self._fetch_all(wanted, on_jar)
        return len(wanted)

    def _explained(self, error: OSError) -> BrokerError:
        hint = "Choose another place with MONMOUTH_STATE_DIR or MONMOUTH_JARS."
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return DiskFullError(f"the disk of {self.path} is full", f"Free some space. {hint}")
        return NotWritableError(f"cannot keep {self._whose} jars in {self.path}: {error.strerror or error}", hint)

    def _good(self, jar: Jar) -> bool:
        path = self.path / jar.file
        return path.is_file() and digest(path) == jar.sha256

    def _fetch_all(self, wanted: list[Jar], on_jar: OnJar) -> None:
        if (free := shutil.disk_usage(self.path).free) < SPACE:
            raise DiskFullError(
                f"{free >> 20} MiB free at {self.path}; {self._whose} jars need {SPACE >> 20} MiB",
                "Free some space, or choose another place with MONMOUTH_STATE_DIR or MONMOUTH_JARS.",
            )
        scratch = Path(mkdtemp(prefix=".download-", dir=self.path))
        pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="jars")
        try:
            on_jar(0, len(wanted), "")
            futures = {pool.submit(self._fetch_one, jar, scratch): jar for jar in wanted}
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                on_jar(done, len(wanted), futures[future].file)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            shutil.rmtree(scratch, ignore_errors=True)

    def _fetch_one(self, jar: Jar, scratch: Path) -> None:
        """Up to ATTEMPTS downloads of one jar, into its own folder each time; renamed into place once the hash is right."""
        reason = ""
        for attempt in range(ATTEMPTS):
            try:
                found = self._download(jar.coordinate, scratch / f"{jar.file}.{attempt}", attempt)
            except JarsUnavailableError as error:
                reason = error.message
                continue
            if (got := digest(found)) == jar.sha256:
                found.replace(self.path / jar.file)
                return
            reason = f"its SHA-256 is {got}, the lock says {jar.sha256}"
        raise JarsUnavailableError(
            f"cannot get {jar.coordinate}: {reason}",
            "Check the network and try again: what is complete is kept. "
            f"Without a network, copy a complete jar folder to {self.path}, or name one with MONMOUTH_JARS.",
        )
