"""Which lane a test runs in: that of servers where it, or another test of its file, needs one."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tests.lanes import LANE, SERVERS, Lanes, pytest_collection_modifyitems


class Item:
    """What the lanes ask of a test."""

    def __init__(self, file: str, *marks: str) -> None:
        self.path = Path(file)
        self.own = [getattr(pytest.mark, mark).mark for mark in marks]

    def iter_markers(self) -> list[pytest.Mark]:
        return self.own

    def add_marker(self, mark: pytest.MarkDecorator) -> None:
        self.own.append(mark.mark)

    @property
    def groups(self) -> list[str]:
        return [mark.args[0] for mark in self.own if mark.name == "xdist_group"]


@pytest.mark.parametrize("mark", sorted(SERVERS))
def test_a_file_with_one_test_of_a_server_is_grouped_whole(mark: str) -> None:
    items = [Item("a.py"), Item("a.py", mark, "slow"), Item("b.py", "slow"), Item("b.py")]
    pytest_collection_modifyitems(cast("list[pytest.Item]", items))
    assert [item.groups for item in items] == [[LANE], [LANE], [], []]


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        ("tests/unit/test_a.py::test_one[x]", "tests/unit/test_a.py"),
        ("tests/unit/test_a.py::test_other", "tests/unit/test_a.py"),
        ("tests/unit/test_a.py::test_one[cassandra]@servers", LANE),
        ("tests/integration/test_a.py::test_one", LANE),
        ("tests/integration/test_a.py::test_one@servers", LANE),
    ],
)
def test_a_lane_is_a_file_or_all_servers(nodeid: str, scope: str) -> None:
    assert Lanes._split_scope(cast("Lanes", None), nodeid) == scope
