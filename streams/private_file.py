"""Files that several processes may make at once and none may read by half: keys, and what must be said once.

Assumes a file system with hard links. Invariant: a file made here has mode 0600 and is there whole or not at all; of several
makers the first wins, and all of them read what it wrote; of several that replace one the last wins.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from streams.errors import ConfigurationError


def make_new(path: Path, text: str) -> None:
    """Writes ``text`` to ``path``, in a folder that is there. Raises FileExistsError if the file is, OSError."""
    beside = _beside(path, text.encode())
    try:
        os.link(beside, path)  # fails if another process was first, whose file then counts
    finally:
        beside.unlink()


def replace_whole(path: Path, content: bytes) -> None:
    """Puts ``content`` in the place of what ``path`` holds; until it is all on the disk, the file stays as it was.

    Raises OSError.
    """
    beside = _beside(path, content)
    try:
        beside.replace(path)
    except OSError:
        beside.unlink()
        raise


def _beside(path: Path, content: bytes) -> Path:
    """A new file in the same folder, on the disk."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def make_once(path: Path, make: Callable[[], str]) -> None:
    """Writes ``make()`` to ``path`` unless it is there. Raises OSError."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        make_new(path, make())


def read_secret(path: Path, what: str) -> str:
    """The text of ``path``, stripped. Raises ConfigurationError, naming it as ``what``, if others may read it; OSError."""
    demand_private(path, what)
    return path.read_text().strip()


def demand_private(path: Path, what: str) -> None:
    """Raises ConfigurationError, naming ``path`` as ``what``, if others may read it; OSError."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ConfigurationError(f"{what} {path} is open to others (mode {mode:o})", f"Run: chmod 600 {path}")
