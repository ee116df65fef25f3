"""Lanes for ``pytest -n 2 --dist loadgroup``: tests that share servers one after the other in one, the others beside them.

Tests of servers mostly wait, and share servers that take long to start. Those that start brokers of their own, to strike or
to stop them, share nothing and have a lane of their own, which whoever is free takes. The others need a processor and nothing
else. Which they are, their markers say, and their folder. Invariant: a file's tests stay in one process, in their order.

The process that deals tests out knows their ids and collects none, so it reads the markers in their files.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]
ALONE = tuple(f"tests/{folder}/" for folder in ("unit", "property", "checker", "sim", "isolation"))
OWN = ("tests/chaos/", "tests/scale/", "tests/integration/infra/", "tests/e2e/test_demo")
"""Beginnings of files whose tests use no server of another test."""
SERVER = re.compile(r"\bmark\.(kafka|cassandra|milvus|node)\b")
"""Markers of tests that need a server."""
LANE, OWN_LANE = "servers", "own servers"


@cache
def needs_server(file: Path) -> bool:
    """Whether any test of it does."""
    return SERVER.search(file.read_text()) is not None


class Lanes(LoadScopeScheduling):
    """Gives each process a lane's next part when it has done the one before."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith(OWN):
            return OWN_LANE
        return file if file.startswith(ALONE) and not needs_server(ROOT / file) else LANE


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes | None:
    return Lanes(config, log) if config.getvalue("dist") == "loadgroup" else None
