"""Which lane a test runs in: that of servers where it, or another test of its file, needs one."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tests.lanes import LANE, Lanes, needs_server


@pytest.mark.parametrize("name", ["kafka", "cassandra", "milvus", "node"])
def test_a_marker_of_one_test_speaks_for_its_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / "test_a.py"
    file.write_text(f'KINDS = ["lmdb", pytest.param("other", marks=pytest.{"mark"}.{name})]\n')
    assert needs_server(file)


def test_other_markers_need_no_server(tmp_path: Path) -> None:
    file = tmp_path / "test_a.py"
    file.write_text("@pytest.mark.slow\ndef test_nodes(kafka): ...\n")
    assert not needs_server(file)


@pytest.mark.parametrize(
    ("file", "served"),
    [
        ("tests/unit/test_lanes.py", False),
        ("tests/unit/stores/test_memory_contract.py", True),
        ("tests/unit/cli/test_infra_cassandra.py", True),
        ("tests/integration/test_silence.py", True),
    ],
)
def test_a_lane_is_a_file_or_all_servers(file: str, served: bool) -> None:
    assert Lanes._split_scope(cast("Lanes", None), f"{file}::test_one[x]") == (LANE if served else file)
