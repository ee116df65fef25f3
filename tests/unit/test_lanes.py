"""Which tests share a process, and in which order of files."""

from __future__ import annotations

import pytest

from tests.lanes import LANE, OWN_LANE, Lanes


@pytest.mark.parametrize(
    ("file", "lane"),
    [
        ("tests/unit/core/test_lthash.py", "tests/unit/core/test_lthash.py"),
        ("tests/unit/stores/test_versions.py", LANE),  # its markers name a server
        ("tests/e2e/test_kill.py", LANE),
        ("tests/integration/serving/test_gateway.py", LANE),
        ("tests/integration/infra/test_broker.py", OWN_LANE),
        ("tests/chaos/test_smoke.py", OWN_LANE),
        ("tests/e2e/test_demo_node.py", OWN_LANE),
        ("tests/unit/test_lanes.py", "tests/unit/test_lanes.py"),
    ],
)
def test_a_file_has_its_lane(file: str, lane: str) -> None:
    assert Lanes._split_scope(Lanes.__new__(Lanes), f"{file}::test_something[case]") == lane
