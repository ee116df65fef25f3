"""The keeper opens its door when the server is healthy, and the two end together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.broker.ports import free_port
from infra.broker.probe import listens
from infra.milvus.configuration import COMPONENTS, COUNT, HOST, PRIVATE, Ports, write_configuration
from infra.milvus.keeper import BUSY, Plan

HEALTHY = "healthy"
"""A file: the server says it is well once that is there."""
SERVER = """
import http.server, os, socketserver, sys, threading
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"OK" if os.path.exists(sys.argv[3]) else b"not yet")
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line.upper())
echo = socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Echo)
threading.Thread(target=echo.serve_forever, daemon=True).start()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Health).serve_forever()
"""


def keeper(tmp_path: Path, command: list[str] | None = None, port: int = 0) -> tuple[subprocess.Popen[bytes], Plan]:
    inner, health = free_port(), free_port()
    command = command or [sys.executable, "-c", SERVER, str(inner), str(health), str(tmp_path / HEALTHY)]
    plan = Plan(command, str(tmp_path), {}, port or free_port(), inner, health, private=False)
    plan.write(tmp_path / "plan.json")
    process = subprocess.Popen([sys.executable, "-m", "infra.milvus.keeper", str(tmp_path / "plan.json")])
    return process, plan


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Plan]]:
    process, plan = keeper(tmp_path)
    yield process, plan
    process.kill()
    process.wait()


def await_door(plan: Plan) -> None:
    (Path(plan.folder) / HEALTHY).touch()
    deadline = time.monotonic() + 30
    while not listens(HOST, plan.port):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_door_opens_on_health_and_hands_on(running: tuple[subprocess.Popen[bytes], Plan]) -> None:
    process, plan = running
    deadline = time.monotonic() + 30
    while not listens(HOST, plan.inner):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not listens(HOST, plan.port), "it runs, but is not healthy yet"
    await_door(plan)
    with socket.create_connection((HOST, plan.port)) as connection, connection.makefile("rwb") as stream:
        stream.write(b"x" * 300_000 + b"\n")
        stream.flush()
        assert stream.readline() == b"X" * 300_000 + b"\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not listens(HOST, plan.inner), "the server went with it"


def test_a_killed_keeper_takes_the_server_along(running: tuple[subprocess.Popen[bytes], Plan]) -> None:
    process, plan = running
    await_door(plan)
    (child,) = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    child.wait(10)
    assert not listens(HOST, plan.inner)


def test_a_server_that_ends_ends_the_keeper(tmp_path: Path) -> None:
    process, plan = keeper(tmp_path, [sys.executable, "-c", "import sys; sys.exit(5)"])
    assert process.wait(30) == 5
    assert not listens(HOST, plan.port)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        process, _ = keeper(tmp_path, port=taken.getsockname()[1])
        assert process.wait(30) == BUSY


def test_the_configuration_names_loopback_only(tmp_path: Path) -> None:
    ports = Ports.of(tuple(range(1, COUNT + 1)))
    environment = write_configuration(tmp_path, ports, {"dataCoord.gc.interval": 7, "new.one": True})
    tree = json.loads((tmp_path / "configs" / "milvus.yaml").read_text())
    assert {tree[name]["ip"] for name in (*COMPONENTS, "proxy")} == {HOST}
    etcd = json.loads((tmp_path / "configs" / "etcd.yaml").read_text())
    assert all(value.partition("//")[2].startswith(HOST) for name, value in etcd.items() if name.endswith("urls"))
    assert (tree["dataCoord"]["gc"]["interval"], tree["new"]) == (7, {"one": True})
    assert environment["METRICS_PORT"] == str(ports.health)
    assert len({PRIVATE.proxy, PRIVATE.internal, PRIVATE.health, PRIVATE.etcd, PRIVATE.etcd_peer, *PRIVATE.components}) == COUNT
    assert "LD_LIBRARY_PATH" not in environment and os.environ.get("MILVUSCONF") is None
