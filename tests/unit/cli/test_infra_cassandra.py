"""``infra cassandra`` where there is a node, none, or somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra.cassandra import CassandraNode
from streams.cli.infra import infra
from streams.errors import ConfigurationError
from streams.settings import CassandraSettings, Settings


def invoke(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(infra, ["cassandra", *arguments], obj=settings)


def test_status_and_down_without_a_node(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    status = invoke(settings, "status")
    assert (status.exit_code, "infra cassandra up" in status.output) == (1, True)
    down = invoke(settings, "down")
    assert (down.exit_code, down.output) == (0, "Cassandra was not running\n")


def test_nodes_elsewhere_are_never_started_or_stopped(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, cassandra=CassandraSettings(contact_points=["10.0.0.1"]))
    for command in ("up", "status", "down"):
        result = invoke(settings, command)
        assert isinstance(result.exception, ConfigurationError) and "10.0.0.1" in str(result.exception)


@pytest.mark.cassandra
def test_a_node_that_runs_is_found_again(cassandra: CassandraNode) -> None:
    settings = Settings(state_dir=cassandra.folder.parent)
    place = f"127.0.0.1:{cassandra.port}"
    assert f"answers at {place}" in invoke(settings, "status").output
    up = invoke(settings, "up")
    assert up.exit_code == 0 and f"was up already at {place}" in up.output
    assert f"MONMOUTH_CASSANDRA__PORT={cassandra.port}" in up.output
