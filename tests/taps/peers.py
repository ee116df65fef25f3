"""Clients too large to fetch in every run: ``python -m tests.taps`` fetches them; where nobody did, their tests skip."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.broker.jars import JarFolder, parse_lock
from perf.measure import PEERS
from tests.conftest import ROOT

JAVA = JarFolder(ROOT / ".monmouth" / "taps", parse_lock(Path(__file__).with_name("java.lock").read_text()))
RUN = "`python -m tests.taps` fetches it"


def quix() -> Path:
    """Python of the environment with Quix Streams; skips the test where there is none."""
    python = PEERS / "quix" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no Quix Streams (131 MB), also in CI; {RUN}")
    return python


def java_libs() -> Path:
    """The folder of the console consumer and its deserialiser."""
    if JAVA.unusable():
        pytest.skip(f"no Java console consumer (13 MB), also in CI; {RUN}")
    return JAVA.path


def kcat() -> Path:
    """The program."""
    found = shutil.which("kcat")
    if found is None:
        pytest.skip("no kcat, also in CI: it is a package of the system; on Debian and Ubuntu: apt-get install kcat")
    return Path(found)
