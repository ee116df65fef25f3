"""Where the geth binary is, and how it is built: by the Go toolchain, from the module at one pinned version.

Newer versions need a module that the public proxy does not serve. A build takes minutes of CPU, so tests never start one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.conftest import ROOT

MODULE = "github.com/ethereum/go-ethereum/cmd/geth@v1.17.8"
BIN = ROOT / ".monmouth" / "geth" / "bin"
ABSENT = "no geth: this suite runs by command, also in CI; `python -m tests.geth` builds the binary, MONMOUTH_GETH names one"


def find() -> Path | None:
    """MONMOUTH_GETH, else what ``build`` left."""
    binary = Path(os.environ.get("MONMOUTH_GETH") or BIN / "geth")
    return binary if binary.is_file() else None


def build() -> Path:
    """Compiles geth, out of the way of other work. Raises RuntimeError where that is not possible."""
    if shutil.which("go") is None:
        raise RuntimeError("no Go toolchain on the PATH; it builds geth")
    BIN.mkdir(parents=True, exist_ok=True)
    command = ["nice", "-n", "19", "go", "install", "-p", "1", MODULE]
    finished = subprocess.run(command, env={**os.environ, "GOBIN": str(BIN)}, check=False)
    if finished.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {finished.returncode}")
    return BIN / "geth"
