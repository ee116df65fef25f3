"""``python -m tests.taps``: fetches the clients that CI does not, then runs every tap. kcat is a package of the system."""

from __future__ import annotations

import subprocess
import sys

from perf.measure import peer
from tests.conftest import ROOT
from tests.taps.peers import JAVA


def main() -> int:
    print(f"{JAVA.ensure()} jars fetched", flush=True)
    peer("quix")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "tests/taps", *sys.argv[1:]], cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
