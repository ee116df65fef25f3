"""Two lanes for ``pytest -n 2 --dist loadgroup``: all tests of servers one after the other in one, the others beside them.

Tests of servers mostly wait, share servers that take long to start, and mind what else the machine does; so no two of them
run at once. The others need a processor and nothing else. Invariant: a file's tests stay in one process, in their order.
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ALONE = tuple(f"tests/{folder}/" for folder in ("unit", "property", "checker", "sim", "isolation"))
SERVERS = (
    "tests/unit/stores/test_memory_contract.py",
    "tests/unit/stores/test_versions.py",
    "tests/unit/stores/test_vector_contract.py",
)


class Lanes(LoadScopeScheduling):
    """Gives each process a lane's next part when it has done the one before."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file.startswith(ALONE) and file not in SERVERS else "servers"


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes | None:
    return Lanes(config, log) if config.getvalue("dist") == "loadgroup" else None
