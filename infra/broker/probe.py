"""Does a Kafka cluster answer? A connection is not enough: version handshake and metadata must come back.

Callable with or without a running event loop, since each question runs on a loop of its own in a thread of its own.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

ATTEMPT = 5.0  # seconds for one question


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a cluster says of itself. ``brokers``: number of live nodes."""

    cluster_id: str
    brokers: int


def listens(host: str, port: int) -> bool:
    """True if something accepts connections there. Cheap, so ask it first."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def ask(bootstrap: str, timeout: float = ATTEMPT, arguments: Mapping[str, Any] | None = None) -> Cluster | None:
    """The cluster behind ``bootstrap`` ("host:port,..."), or None if none answers within ``timeout`` seconds.

    ``arguments``: of the client, where the cluster lets in nobody who comes plainly.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="probe") as pool:
        asked = {**(arguments or {}), "bootstrap_servers": bootstrap}
        return pool.submit(lambda: asyncio.run(_ask(asked, timeout))).result()


async def _ask(arguments: Mapping[str, Any], timeout: float) -> Cluster | None:
    try:
        return await asyncio.wait_for(_describe(arguments, timeout), timeout)
    except (TimeoutError, KafkaError, OSError, ValueError):
        return None


async def _describe(arguments: Mapping[str, Any], timeout: float) -> Cluster | None:
    client = AIOKafkaAdminClient(**arguments, request_timeout_ms=int(timeout * 1000))
    try:
        await client.start()
        answer = await client.describe_cluster()
    finally:
        await client.close()
    if not answer["brokers"] or answer["controller_id"] < 0:
        return None
    return Cluster(str(answer["cluster_id"]), len(answer["brokers"]))
