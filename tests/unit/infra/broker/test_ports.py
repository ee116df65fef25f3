"""A busy port is named, with its holder and the ways out."""

from __future__ import annotations

import os
import socket

import pytest

from infra.broker.errors import PortBusyError
from infra.broker.ports import demand_free, free_port, is_free


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
