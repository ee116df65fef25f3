"""Which node leads the controllers? Only the quorum itself knows: brokers hide it from clients behind a random node's id.

One DescribeQuorum request (version 0 of the Kafka protocol) to a controller's own listener; only one that leads answers it. One
that was paused may still believe that it leads: the greater epoch is right.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

API_KEY = 55
CORRELATION = 7
TOPIC = b"__cluster_metadata"
ATTEMPT = 5.0  # seconds for one question


@dataclass(frozen=True, slots=True, order=True)
class Leader:
    """Who leads the controllers, since which epoch."""

    epoch: int
    node: int


def leader(host: str, port: int, timeout: float = ATTEMPT) -> Leader | None:
    """What the controller at ``host:port`` says if it leads; None if it does not, or does not answer within ``timeout``."""
    request = encode()
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            size = struct.unpack(">i", _read(connection, 4))[0]
            return decode(_read(connection, size))
    except (OSError, EOFError):
        return None


def encode() -> bytes:
    """The request: header version 2, one topic of one partition. In this format lengths are one more than the length."""
    header = struct.pack(">hhih", API_KEY, 0, CORRELATION, -1) + b"\0"
    partitions = b"\2" + struct.pack(">i", 0) + b"\0"
    return header + b"\2" + bytes([len(TOPIC) + 1]) + TOPIC + partitions + b"\0" + b"\0"


def decode(answer: bytes) -> Leader | None:
    """The leader in an answer; None where the node says that it does not lead. Raises EOFError if it is cut."""
    if len(answer) < 7:
        raise EOFError
    correlation, tags, error = struct.unpack_from(">ibh", answer)
    if correlation != CORRELATION or tags or error:
        return None
    place = 7 + 1 + 1 + len(TOPIC) + 1  # behind the header: number of topics, name, number of partitions
    if len(answer) < place + 14:
        raise EOFError
    _partition, error, node, epoch = struct.unpack_from(">ihii", answer, place)
    return None if error or node < 0 else Leader(epoch, node)


def _read(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        if not more:
            raise EOFError
        found += more
    return found
