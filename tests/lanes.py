"""Two lanes for ``pytest -n 2 --dist loadgroup``: all tests of servers one after the other in one, the others beside them.

Tests of servers mostly wait, share servers that take long to start, and mind what else the machine does; so no two of them
run at once. The others need a processor and nothing else. Which they are, their markers say, and their folder where it holds
little else. Invariant: a file's tests stay in one process, in their order.

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
SERVER = re.compile(r"\bmark\.(kafka|cassandra|milvus|node)\b")
"""Markers of tests that need a server."""
LANE = "servers"


@cache
def needs_server(file: Path) -> bool:
    """Whether any test of it does."""
    return SERVER.search(file.read_text()) is not None


class Lanes(LoadScopeScheduling):
    """Gives each process a lane's next part when it has done the one before."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file.startswith(ALONE) and not needs_server(ROOT / file) else LANE


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes | None:
    return Lanes(config, log) if config.getvalue("dist") == "loadgroup" else None
