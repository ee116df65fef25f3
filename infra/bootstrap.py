#!/usr/bin/env python3
"""From a clean clone to a running command, with nothing but Python 3.11: makes .venv, installs the locked packages, runs.

    python3 infra/bootstrap.py demo [ARGS]      the whole pipeline on this machine
    python3 infra/bootstrap.py test [ARGS]      the tests; ARGS go to pytest
    python3 infra/bootstrap.py check            lint, format, types, import arrows
    python3 infra/bootstrap.py run ARGS         any monmouth command
    python3 infra/bootstrap.py install          only what comes before

Standard library only, and in a syntax that an old Python can read far enough to say that it is too old. Invariant: every
package is installed from a committed lock with its hash; nothing is built or fetched outside it; a second call with the same
lock installs nothing. Ctrl-C and exit codes are those of the command.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TURN = ROOT / ".monmouth" / "bootstrap.lock"
LOCKS = {"run": ROOT / "infra" / "lock" / "run.txt", "dev": ROOT / "infra" / "lock" / "dev.txt"}
NEEDS = {"demo": "run", "run": "run", "install": "run", "test": "dev", "check": "dev"}
CHECKS = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["lint-imports"])
SCRIPT_MARK = "# written by infra/bootstrap.py"
FAILURES = (
    (
        "DO NOT MATCH THE HASHES",
        "A package is not the one in the lock: a damaged download or an altered mirror. Try again; do not skip it.",
    ),
    ("No space left on device", "The disk is full: the packages need about 1 GB."),
    ("No matching distribution", "No ready-made package for this Python or machine, or the index was not reached."),
    ("NewConnectionError", "The package index cannot be reached: check the network, or the proxy and mirror settings of pip."),
    (
        "Temporary failure in name resolution",
        "The package index cannot be reached: check the network, or pip's mirror settings.",
    ),
    ("Read timed out", "The network is too slow or was cut: try again, what is downloaded is kept."),
)


class BootstrapError(Exception):
    """Something a person must mend; the text says what and how."""


def main(argv: list[str]) -> int:
    """Exit code: the command's; 1 if it could not be prepared; 2 for wrong usage; 130 interrupted."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        return _fail(f"Python 3.11 or newer is needed; this is {found} ({sys.executable}).\nTry: python3.11 {sys.argv[0]} ...")
    if not argv or argv[0] not in NEEDS:
        sys.stderr.write((__doc__ or "").partition("\n\n")[2].partition("\n\n")[0] + "\n")
        return 0 if argv and argv[0] in {"-h", "--help"} else 2
    command, arguments = argv[0], argv[1:]
    try:
        prepare(NEEDS[command])
        if command == "test":
            subprocess.run([sys.executable, str(ROOT / "infra" / "system.py")], check=False)  # what it cannot have is skipped
        return start(command, arguments)
    except BootstrapError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or VENV}: {error.strerror}\nIs the checkout writable, and is there space left?")
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return 130


def prepare(lock: str) -> None:
    """Bring .venv to the state that ``lock`` ("run" or "dev") asks for. Raises BootstrapError."""
    began = time.monotonic()
    TURN.parent.mkdir(exist_ok=True)
    with TURN.open("w") as file:
        _exclusive(file.fileno())
        changed = make_venv() | install(lock)
        link_project()
    if changed:
        _say(f"ready after {time.monotonic() - began:.0f} s")


def start(command: str, arguments: list[str]) -> int:
    """Run what was asked for; where the system can, in the place of this process."""
    if command == "install":
        return 0
    if command == "check":
        return check(arguments)
    if command != "run":
        os.chdir(ROOT)
    # -P: a folder of the caller's that happens to be named like one of ours must not be imported.
    program = ["-P", "-m", "streams.cli", *(["demo"] if command == "demo" else [])]
    line = [str(python()), *(["-m", "pytest"] if command == "test" else program), *arguments]
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(line[0], line, _environment())  # noqa: S606  (signals and exit code then need no passing on)
    return subprocess.run(line, env=_environment(), check=False).returncode


def check(arguments: list[str]) -> int:
    """Every check, also after one failed; 1 if any did."""
    if arguments:
        raise BootstrapError("check takes no arguments")
    failed = []
    for line in CHECKS:
        _say("$ " + shlex.join(line))
        program = str(python().parent / line[0])
        if subprocess.run([program, *line[1:]], cwd=ROOT, env=_environment(), check=False).returncode:
            failed.append(shlex.join(line))
    if failed:
        _say("failed: " + ", ".join(failed))
    return 1 if failed else 0


def python() -> Path:
    """The interpreter of .venv."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_venv() -> bool:
    """Create .venv unless it works already. True if it was created."""
    if _works():
        return False
    _say(f"making {VENV}")
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False)
    if done.returncode or not _works():
        raise BootstrapError(
            f"cannot make a virtual environment:\n{_last_lines(done.stdout + done.stderr)}\n"
            "On Debian and Ubuntu it is a package of its own: apt-get install python3-venv"
        )
    return True


def _works() -> bool:
    """True if .venv has a Python that starts, is new enough and has pip."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return (
            subprocess.run([str(python()), "-c", probe], capture_output=True, env=_environment(), check=False).returncode == 0
        )
    except OSError:
        return False


def install(lock: str) -> bool:
    """Install a lock's packages if it changed since the last time. True if it did."""
    stamp = VENV / ".installed.json"
    wanted = hashlib.sha256(LOCKS[lock].read_bytes()).hexdigest()
    if _stamps(stamp).get(lock) == wanted:
        return False
    stamp.unlink(missing_ok=True)
    total = sum(1 for line in LOCKS[lock].read_text().splitlines() if "==" in line and not line.startswith((" ", "#")))
    _say(f"installing {total} locked packages ({lock})")
    _pip(["install", "--require-hashes", "--no-deps", "--only-binary=:all:", "-r", str(LOCKS[lock])], total)
    stamps = {lock: wanted}
    if lock == "dev":  # which holds all of the other, as a test makes sure
        stamps["run"] = hashlib.sha256(LOCKS["run"].read_bytes()).hexdigest()
    stamp.write_text(json.dumps(stamps))
    return True


def _stamps(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _pip(arguments: list[str], total: int) -> None:
    """Run pip, its words into .venv/pip.log, a short line of progress to the terminal."""
    line = [str(python()), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments, "--progress-bar=off"]
    count = 0
    log = VENV / "pip.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=_environment()
        )
        assert process.stdout is not None
        try:
            for text in process.stdout:
                file.write(text)
                if text.startswith(("Collecting", "Requirement already satisfied")):
                    count += 1
                    _progress(f"{count}/{total} {text.split()[1 if text.startswith('C') else 3].partition('==')[0]}")
                elif text.startswith("Installing collected"):
                    _progress(f"unpacking {total} packages")
            status = process.wait()
        except KeyboardInterrupt:
            process.wait()  # it got the same Ctrl-C
            raise
    _progress("")
    if status:
        text = log.read_text()
        hints = [hint for pattern, hint in FAILURES if pattern in text]
        raise BootstrapError("pip failed:\n" + _last_lines(text) + "\n" + (hints[0] if hints else f"All it said is in {log}."))


def link_project() -> None:
    """Put the checkout on the path of .venv, with a ``monmouth`` script: no build, so no build tools to fetch."""
    folder = next((VENV / ("Lib" if os.name == "nt" else "lib")).glob("**/site-packages"))
    link = folder / "monmouth.pth"
    if not link.is_file() or link.read_text() != f"{ROOT}\n":
        link.write_text(f"{ROOT}\n")
    script = python().parent / "monmouth"
    # The shell line lets the path of Python be long or hold blanks, which a plain first line cannot.
    text = (
        f"#!/bin/sh\n'''exec' {shlex.quote(str(python()))} \"$0\" \"$@\"\n' '''\n{SCRIPT_MARK}\n"
        "import sys\n\nfrom streams.cli import main\n\nsys.exit(main())\n"
    )
    if os.name == "posix" and (not script.exists() or (SCRIPT_MARK in script.read_text() and script.read_text() != text)):
        script.write_text(text)
        script.chmod(0o755)


def _environment() -> dict[str, str]:
    """The caller's, less what would point another Python at this one's modules."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONHOME", "__PYVENV_LAUNCHER__"}}


def _exclusive(descriptor: int) -> None:
    """Wait for another bootstrap on the same checkout; its lock ends with it."""
    if os.name != "posix":
        return
    import fcntl  # noqa: PLC0415  (not on every system)

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say("waiting for another bootstrap of this checkout")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _last_lines(text: str, count: int = 8) -> str:
    return "\n".join("    " + line for line in text.strip().splitlines()[-count:])


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}"[:100])
        sys.stderr.flush()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _fail(text: str) -> int:
    _say(f"error: {text}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
