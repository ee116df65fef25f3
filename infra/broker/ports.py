"""Loopback ports: one that is free, and who holds one that is not.

A free port is looked for below those that the kernel gives to outgoing connections: a client of anything could get one of these
before the server that it is meant for has started.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

from infra.broker.errors import PortBusyError
from infra.broker.properties import HOST

OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 10_000
DYNAMIC = 49_152
TRIES = 100


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
    """A port that nobody holds at this moment; another server may still take it first, so be ready to try again."""
    for _ in range(TRIES):
        if is_free(port := secrets.choice(_quiet())):
            return port
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        found: int = probe.getsockname()[1]
        return found


def wanted_or_free(wanted: int) -> int:
    """``wanted`` if nobody holds it, else a free one."""
    return wanted if wanted and is_free(wanted) else free_port()


def free_ports(count: int) -> tuple[int, ...]:
    """So many different ones."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return tuple(found)


@cache
def _quiet() -> range:
    """Ports that no outgoing connection gets. Without word of the kernel those below IANA's dynamic ones, RFC 6335."""
    first = DYNAMIC
    with suppress(OSError, ValueError, IndexError):
        first = int(OUTGOING.read_text().split()[0])
    return range(LOWEST, first) if first > LOWEST + TRIES else range(LOWEST, DYNAMIC)


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
