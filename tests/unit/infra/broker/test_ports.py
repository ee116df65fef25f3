"""A busy port is named, with its holder and the ways out."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from infra.broker import ports
from infra.broker.errors import PortBusyError
from infra.broker.ports import OUTGOING, _quiet, demand_free, free_port, free_ports, is_free, wanted_or_free


def test_busy_port_names_port_and_program() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(PortBusyError, match=rf"port {port} .*\(pid {os.getpid()}\)") as caught:
            demand_free(port)
    assert "--port" in caught.value.hint
    assert f"--bootstrap 127.0.0.1:{port}" in caught.value.hint


def test_free_port_is_free() -> None:
    port = free_port()
    assert is_free(port)
    demand_free(port)


def test_no_outgoing_connection_gets_a_free_port() -> None:
    first, last = map(int, OUTGOING.read_text().split())
    assert not [port for port in free_ports(200) if first <= port <= last]


def test_free_ports_differ() -> None:
    assert len(set(free_ports(100))) == 100


@pytest.mark.parametrize("text", [None, "", "garbage", "1024 65535"])
def test_where_the_kernel_keeps_none_for_servers_a_port_below_the_dynamic_ones_is_taken(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "range"
    if text is not None:
        told.write_text(text)
    monkeypatch.setattr(ports, "OUTGOING", told)
    _quiet.cache_clear()
    try:
        assert 10_000 <= free_port() < 49_152
    finally:
        _quiet.cache_clear()


def test_a_wanted_port_is_taken_if_nobody_holds_it() -> None:
    free = free_port()
    assert wanted_or_free(free) == free
    assert wanted_or_free(0) > 0
    with socket.create_server(("127.0.0.1", 0)) as holder:
        held = holder.getsockname()[1]
        assert wanted_or_free(held) != held
