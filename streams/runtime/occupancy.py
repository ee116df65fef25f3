"""Who uses a folder of local state: its owner, or a standby while no owner is there. Told by locks of the operating system.

Assumes a local file system, as LMDB does. Several owners may be there at once for a moment, such as one that was paused and
does not know yet that it was overtaken: the state's own compare-and-set tells them apart. Invariants: a standby never enters
while an owner is there, and is alone among standbys; an owner enters at once, whoever is there; a process that dies leaves.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from streams.errors import StoreError

OWNERS = "owners.lock"
STANDBY = "standby.lock"


class OccupiedError(StoreError):
    """The state is in use by a live owner, or by another standby. There is nothing for a standby to do here."""


class Occupancy:
    """One user's hold on a folder, until ``leave``."""

    def __init__(self, file: int) -> None:
        self._file = file

    def leave(self) -> None:
        """Safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def enter_as_owner(folder: Path) -> Occupancy:
    """Waits for no one: a standby holds this lock only for the moment of a look. Raises OSError."""
    file = _opened(folder / OWNERS)
    fcntl.flock(file, fcntl.LOCK_SH)
    return Occupancy(file)


def enter_as_standby(folder: Path) -> Occupancy:
    """Raises OccupiedError if another standby is there; OSError."""
    file = _opened(folder / STANDBY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise OccupiedError(f"local state {folder} has another standby") from None
    return Occupancy(file)


def check_no_owner(folder: Path) -> None:
    """Raises OccupiedError if an owner is there; OSError."""
    file = _opened(folder / OWNERS)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OccupiedError(f"local state {folder} has a live owner") from None
    finally:
        os.close(file)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
