"""A disk of its own for a run's state, small enough to be filled: a tmpfs, mounted for as long as the run lasts.

Invariant: it is gone when the block ends, however that ends, once no process uses it any more.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.unavailable import UnavailableError

BALLAST = "ballast"
CHUNK = bytes(64 * 1024)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """Mounts ``size`` bytes at ``folder``; 0: leaves it on the disk it is on. Raises UnavailableError."""
    if not size:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    mounted = _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "chaos", str(folder))
    if mounted:
        raise UnavailableError(f"a small disk needs the right to mount a tmpfs: {mounted}")
    try:
        yield
    finally:
        if _run("umount", str(folder)):  # a process that would not end still holds it
            _run("umount", "--lazy", str(folder))


def _run(*command: str) -> str:
    """What it complained of; empty if it worked."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"


def fill(folder: Path) -> None:
    """Takes every byte that is left on the disk of ``folder``."""
    with (folder / BALLAST).open("ab", buffering=0) as file:
        chunk = CHUNK
        while chunk:
            try:
                file.write(chunk)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                chunk = chunk[: len(chunk) // 2]


def free(folder: Path) -> None:
    """Gives it back."""
    (folder / BALLAST).unlink(missing_ok=True)


def room(folder: Path) -> int:
    """Bytes left."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
