"""A node that cannot start says why, and leaves nothing behind."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from infra.broker.errors import BrokerDiedError, BrokerError, DiskFullError, NotWritableError, PortBusyError
from infra.cassandra import CassandraNode

DYING = """#!/bin/sh
[ "$1" = -version ] && echo 'openjdk version "17.0.1"' >&2 && exit
echo 'ERROR no such table'
exit 3
"""


@pytest.fixture(autouse=True)
def _no_jars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.broker.jars.JarFolder.ensure", lambda _self, _on_jar: 0)


def test_one_that_does_not_run(tmp_path: Path) -> None:
    node = CassandraNode(tmp_path)
    assert (node.pid, node.stop(), node.status().running) == (None, False, False)
    node.kill()
    with pytest.raises(BrokerError, match="infra cassandra up"):
        _ = node.port


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortBusyError, match=rf"port {port} on 127.0.0.1[\s\S]*Cassandra[\s\S]*contact_points"):
            CassandraNode(tmp_path, port=port).start()


def test_a_full_disk_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("infra.broker.server.shutil.disk_usage", lambda _path: usage._replace(free=5 << 20))
    with pytest.raises(DiskFullError, match="Cassandra wants"):
        CassandraNode(tmp_path).start()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cassandra").write_text("a file")
    with pytest.raises(NotWritableError):
        CassandraNode(tmp_path).start()


def test_one_that_dies_is_quoted_and_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java"
    java.write_text(DYING)
    java.chmod(0o755)
    monkeypatch.setenv("MONMOUTH_CASSANDRA_JAVA", str(java))
    monkeypatch.setattr("infra.broker.jars.JarFolder.class_path", "x.jar")
    (tmp_path / "jars").mkdir()
    node = CassandraNode(tmp_path)
    with pytest.raises(BrokerDiedError, match=r"Cassandra stopped with status 3[\s\S]*no such table"):
        node.start()
    assert node.pid is None and not (node.folder / "cassandra.pid").exists()
