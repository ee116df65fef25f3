"""One process at a time in a folder, by an advisory lock on a file; it ends with its holder, even by kill -9."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from infra.broker.errors import BrokerError, NotWritableError

POLL = 0.1  # seconds


@contextmanager
def exclusive(path: Path, timeout: float, what: str) -> Iterator[None]:
    """Hold ``path`` (created if need be) for the block. After ``timeout`` seconds BrokerError, naming ``what`` holds it."""
    deadline = time.monotonic() + timeout
    with _opened(path) as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BrokerError(f"{path} is held by {what}", "Wait for it to end, then try again.") from None
            time.sleep(POLL)
        yield


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w")
    except OSError as error:
        raise NotWritableError(f"cannot write {path}: {error.strerror}", "Give this user write access to the folder.") from None
