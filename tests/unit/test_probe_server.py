"""Metrics and probes over HTTP: codes, bodies, ports, clients that say nothing."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from streams import probe_server as module
from streams.errors import ConfigurationError
from streams.health import Health, Look
from streams.probe_server import ProbeServer, serve_probes


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def health() -> Health:
    return Health(60)


@pytest.fixture
def server(health: Health) -> Iterator[ProbeServer]:
    found = serve_probes("127.0.0.1", 0, health)
    yield found
    found.stop()


def test_each_probe_says_yes_and_no(server: ProbeServer, health: Health) -> None:
    assert get(server.port, "/livez") == (200, "ok\n")
    assert get(server.port, "/startupz") == (503, "it is starting\n")
    health.look(Look(True, ["memory/1: is being opened", "the broker: away"]))
    assert get(server.port, "/startupz") == (200, "ok\n")
    assert get(server.port, "/readyz") == (503, "memory/1: is being opened\nthe broker: away\n")
    health.look(Look(True))
    assert get(server.port, "/readyz") == (200, "ok\n")
    assert get(server.port, "/nothing")[0] == 404


def test_metrics_are_on_the_same_port(server: ProbeServer) -> None:
    status, body = get(server.port, "/metrics")
    assert status == 200
    assert "monmouth_uptime_seconds" in body


def test_a_dead_loop_is_told_by_the_thread() -> None:
    server = serve_probes("127.0.0.1", 0, Health(0.0))
    try:
        status, body = get(server.port, "/livez")
    finally:
        server.stop()
    assert status == 503
    assert "no turn" in body


def test_without_health_there_are_metrics_only() -> None:
    server = serve_probes("127.0.0.1", 0)
    try:
        assert get(server.port, "/metrics")[0] == 200
        assert get(server.port, "/livez")[0] == 404
    finally:
        server.stop()


def test_a_port_that_is_taken_is_refused_and_the_setting_named(server: ProbeServer) -> None:
    with pytest.raises(ConfigurationError, match=rf"{server.port}.*\n.*MONMOUTH_PROBES__PORT"):
        serve_probes("127.0.0.1", server.port)


def test_a_client_that_says_nothing_is_dropped(server: ProbeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._Quiet, "timeout", 0.2)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as silent:
        assert silent.recv(1) == b""
    assert get(server.port, "/livez")[0] == 200
