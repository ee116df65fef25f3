"""From the last lines a dead broker wrote to an error that says what happened and what to do.

Pure but for reading the two log files; the patterns are those of Kafka 4.4 and of the Java runtime.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from infra.broker.errors import BrokerDiedError, BrokerError, DiskFullError, JavaError, NotWritableError, PortBusyError

TAIL = 64 * 1024  # bytes read from the end of each file
SHOWN = 5  # lines quoted
FULL = 16 * 1024 * 1024  # bytes: with less free a broker cannot live, since one index of one segment may ask for 10 MiB

CAUSES: tuple[tuple[str, type[BrokerError], str, str], ...] = (
    (
        r"No space left on device|Disk quota exceeded",
        DiskFullError,
        "the disk is full",
        "Free some space and start again: what was acknowledged is kept.",
    ),
    (
        r"Address already in use|[Ff]ailed to bind",
        PortBusyError,
        "a port it needs is taken by another program",
        "Choose another with --port, or stop the other program.",
    ),
    (
        r"AccessDeniedException|Permission denied|Read-only file system",
        NotWritableError,
        "it may not write its folder",
        "Give this user write access, or choose another place with MONMOUTH_STATE_DIR.",
    ),
    (
        r"OutOfMemoryError|Could not reserve enough space|Cannot allocate memory|insufficient memory",
        BrokerDiedError,
        "there is not enough memory",
        "The broker needs about 600 MB; stop something else.",
    ),
    (
        r"Failed to acquire lock on file",
        BrokerDiedError,
        "another broker uses its data folder",
        "Stop that broker, or choose another place with MONMOUTH_STATE_DIR.",
    ),
    (
        r"UnsupportedClassVersionError",
        JavaError,
        "its Java is too old",
        "Unset MONMOUTH_JAVA to use the packaged Java.",
    ),
    (
        r"InconsistentClusterId|Invalid cluster\.id|No `?meta\.properties`? found|INCONSISTENT_CLUSTER_ID",
        BrokerDiedError,
        "its data folder belongs to another cluster or is damaged",
        "Move the folder away to start with an empty one.",
    ),
)


def tail(path: Path, size: int = TAIL, since: int = 0) -> str:
    """The last ``size`` bytes of a file, none before offset ``since``; empty where there is no file."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - size, since if since <= end else 0))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def cause_of_death(text: str, folder: Path, status: int | None, what: str = "the broker") -> BrokerError:
    """The error for a server that ended with ``status`` (as subprocess gives it) and wrote ``text`` last."""
    if shutil.disk_usage(folder).free < FULL:  # then the log itself could not be written
        text += "No space left on device"
    for pattern, kind, said, hint in CAUSES:
        if re.search(pattern, text):
            return kind(f"{what} stopped: {said} ({folder})", hint)
    lines = [line for line in text.splitlines() if line.strip() and "WARNING" not in line]
    grave = [line for line in lines if re.search(r"ERROR|FATAL|Exception|Error", line)]
    quoted = "\n    ".join((grave or lines)[-SHOWN:]) or "(it wrote nothing)"
    ended = "" if status is None else f" with status {status}"
    return BrokerDiedError(f"{what} stopped{ended}; its last lines:\n    {quoted}", f"The whole log lies in {folder}.")
