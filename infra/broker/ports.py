"""Loopback ports: one that is free, and who holds one that is not."""

from __future__ import annotations

import socket
from contextlib import suppress

import psutil

from infra.broker.errors import PortBusyError
from infra.broker.properties import HOST


def is_free(port: int, host: str = HOST) -> bool:
    """True if this process could listen on ``port`` of ``host`` now."""
    with socket.socket() as probe:
        # As the broker does: a port whose old connections are still fading is not busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that nobody holds at this moment; another program may still take it first, so be ready to try again."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def demand_free(port: int, host: str = HOST, product: str = "Kafka", elsewhere: str = "--bootstrap {host}:{port}") -> None:
    """Raises PortBusyError naming the port and, where the system tells, the program."""
    if is_free(port, host):
        return
    raise PortBusyError(
        f"port {port} on {host} is taken{_holder(port)}",
        f"Stop that program, or use another port (--port {free_port()}). "
        f"If it is a {product} you want to use: {elsewhere.format(host=host, port=port)}.",
    )


def _holder(port: int) -> str:
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
