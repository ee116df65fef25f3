"""Who is told what when the head moves, as geth tells it.

On every change: logs of the removed blocks again with ``removed: true``, then those of the new blocks, each in ascending
order; then one newHeads event, for the new tip only, even where several blocks are new or the tip is lower than before. A
silent rewind is not announced at all.

Invariant: a connection's messages leave in the order they were queued, answers and events alike.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import orjson

from connectors.chain.devchain.chain import ChangeKind, DevChain, HeadChange
from connectors.chain.devchain.log_filter import LogFilter
from connectors.chain.devchain.rpc_errors import METHOD_NOT_FOUND, SERVER_ERROR, RpcError
from connectors.chain.devchain.shapes import header_json

QUEUE_LIMIT = 20_000  # messages to a client that does not read; then it is cut off, as geth does
NEW_HEADS = "newHeads"
LATER_FORKS = {"blockAccessListHash": None, "slotNumber": None}
"""Header fields of forks to come: geth leaves them out of blocks and names them in events."""
LOGS = "logs"


class Connection:
    """One WebSocket client: its subscriptions and the messages on their way to it."""

    def __init__(self, ids: count[int]) -> None:
        self.outbox: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_LIMIT)
        self.overrun = asyncio.Event()
        self.subscriptions: dict[str, LogFilter | None] = {}
        self._ids = ids

    def subscribe(self, kind: Any, criteria: Any) -> str:
        """Start ``newHeads`` or ``logs``; returns the id."""
        if kind not in {NEW_HEADS, LOGS}:
            raise RpcError(METHOD_NOT_FOUND, f'no "{kind}" subscription in eth namespace')
        subscription = f"0x{next(self._ids):032x}"
        self.subscriptions[subscription] = LogFilter.of(criteria or {}, 1) if kind == LOGS else None
        return subscription

    def unsubscribe(self, subscription: Any) -> bool:
        """End one."""
        if not isinstance(subscription, str) or subscription not in self.subscriptions:
            raise RpcError(SERVER_ERROR, "subscription not found")
        del self.subscriptions[subscription]
        return True

    def send(self, message: bytes) -> None:
        """Queue a message; a client too far behind is marked as overrun."""
        try:
            self.outbox.put_nowait(message)
        except asyncio.QueueFull:
            self.overrun.set()


class Announcer:
    """Tells all connections of changes."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain
        self._ids = count(1)
        self.connections: set[Connection] = set()

    def connect(self) -> Connection:
        """A new client."""
        connection = Connection(self._ids)
        self.connections.add(connection)
        return connection

    def announce(self, change: HeadChange) -> None:
        """Queue what each subscription is to hear of a change of the head."""
        if change.kind is ChangeKind.SILENT_REWIND or not (change.removed or change.added):
            return
        head = orjson.dumps({**header_json(self._chain.head.header, self._chain.head.hash), **LATER_FORKS})
        for connection in tuple(self.connections):
            for subscription, wanted in connection.subscriptions.items():
                if wanted is None:
                    connection.send(_event(subscription, head))
                else:
                    _send_logs(connection, subscription, wanted, change)


def _send_logs(connection: Connection, subscription: str, wanted: LogFilter, change: HeadChange) -> None:
    for blocks, removed in ((change.removed, True), (change.added, False)):
        for block in blocks:
            for log in wanted.select(block):
                connection.send(_event(subscription, orjson.dumps({**log, "removed": removed})))


def _event(subscription: str, result: bytes) -> bytes:
    head = b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"'
    return head + subscription.encode() + b'","result":' + result + b"}}"
