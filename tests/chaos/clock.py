"""A wall clock that can be set while processes run on it: a small library, preloaded, that adds what a file says to every look.

Only the wall clock (CLOCK_REALTIME, gettimeofday, time) is off; the monotonic one, by which programs measure spans, is the real
one. (libfaketime would do, but its clock_nanosleep refuses absolute deadlines, which is how Python sleeps.)
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.chaos.unavailable import UnavailableError

SOURCE = Path(__file__).with_name("clock.c")
LIBRARY = "libchaosclock.so"


def make_clock(file: Path) -> Path:
    """A clock that is right until it is set; its library lies beside ``file``. Raises UnavailableError."""
    file = file.resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    library = file.with_name(LIBRARY)
    try:
        done = subprocess.run(
            ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise UnavailableError(f"a clock that jumps needs a C compiler: {error}") from None
    if done.returncode:
        raise UnavailableError(f"a clock that jumps cannot be compiled here: {done.stderr.strip()[:300]}")
    set_clock(file, 0)
    return file


def set_clock(file: Path, seconds: int) -> None:
    """Everything that runs on it is this far off from now on."""
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as written:
        written.write(seconds.to_bytes(8, "little", signed=True))


def watch_of(file: Path) -> dict[str, str]:
    """Environment of a process that runs on it."""
    return {"LD_PRELOAD": str(file.with_name(LIBRARY)), "CHAOS_CLOCK": str(file)}
