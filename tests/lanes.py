"""Two lanes for ``pytest -n 2 --dist loadgroup``: all tests of servers one after the other in one, the others beside them.

Tests of servers mostly wait, share servers that take long to start, and mind what else the machine does; so no two of them
run at once. The others need a processor and nothing else. Which they are, their markers say, and their folder where it holds
little else. Invariant: a file's tests stay in one process, in their order.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ALONE = tuple(f"tests/{folder}/" for folder in ("unit", "property", "checker", "sim", "isolation"))
SERVERS = frozenset({"kafka", "cassandra", "milvus", "node"})
"""Markers of tests that need a server."""
LANE = "servers"


class Lanes(LoadScopeScheduling):
    """Gives each process a lane's next part when it has done the one before."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file.startswith(ALONE) and not nodeid.endswith(f"@{LANE}") else LANE


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Before the scheduler's own, which ends the ids of a group's tests with its name, the one thing it then knows of them."""
    served = {item.path for item in items if any(mark.name in SERVERS for mark in item.iter_markers())}
    for item in items:
        if item.path in served:
            item.add_marker(pytest.mark.xdist_group(LANE))


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes | None:
    return Lanes(config, log) if config.getvalue("dist") == "loadgroup" else None
