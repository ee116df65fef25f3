#!/usr/bin/env python3
"""The system's programs that tests drive (a browser, Prometheus): installed where that needs nobody's password.

    python3 infra/system.py            installs what is missing, or says the line that would

Standard library only, since it runs before anything is installed. Assumes nothing: elsewhere than on Debian as root it says
in one line what is missing, and the tests of those programs skip. Invariant: nothing that it installs is started as a service.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LIST = Path(__file__).resolve().parent / "lock" / "debian.txt"
POLICY = Path("/usr/sbin/policy-rc.d")
REFUSE_SERVICES = "#!/bin/sh\nexit 101\n"
OFF = "MONMOUTH_SYSTEM_PACKAGES"
PATIENCE = 600


def packages(text: str) -> list[str]:
    """The names in a list: one a line, ``#`` begins a comment."""
    return [name for line in text.splitlines() if (name := line.partition("#")[0].strip())]


def missing(names: list[str]) -> list[str]:
    """Those whose program, named like the package, is not to be found."""
    return [name for name in names if shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin") is None]


def ensure() -> bool:
    """Installs what is missing, if it may; says what is not there. True if everything is there."""
    wanted = missing(packages(LIST.read_text()))
    if not wanted:
        return True
    if os.environ.get(OFF) == "off" or shutil.which("apt-get") is None or not _is_root():
        _say(f"tests that need them skip; to have them: apt-get install --no-install-recommends {' '.join(wanted)}")
        return False
    _say(f"installing {' '.join(wanted)} ({OFF}=off leaves them out)")
    left = wanted
    with _no_services():
        for attempt in ("install", "update and install"):
            if attempt != "install":
                _apt(["update"])
            if _apt(["install", "-y", "--no-install-recommends", *wanted]):
                break
        left = missing(wanted)
    if left:
        _say(f"not installed: {' '.join(left)}; tests that need them skip")
    return not left


def _is_root() -> bool:
    return os.name == "posix" and os.geteuid() == 0


def _apt(arguments: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    line = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", *arguments]
    try:
        done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        _say(f"apt-get: {error}")
        return False
    if done.returncode and "update" not in arguments:
        _say("".join(f"    {text}\n" for text in done.stderr.strip().splitlines()[-3:]).rstrip())
    return done.returncode == 0


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Debian starts what it installs unless this file says no; one that is there already stays."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text(REFUSE_SERVICES)
    try:
        POLICY.chmod(0o755)
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(0 if ensure() else 1)
