"""Serves a development chain as a node does: JSON-RPC by HTTP POST and by WebSocket on one port, loopback by default.

Assumes it is the only writer of its chain while it runs. Requests from web pages are refused (host and origin checks), since
a page must not reach a node on the same machine.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from types import TracebackType
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web

from connectors.chain.devchain.chain import DevChain, HeadChange
from connectors.chain.devchain.rpc import Rpc
from connectors.chain.devchain.steps import Step, play
from connectors.chain.devchain.subscriptions import Announcer, Connection
from streams.errors import ConfigurationError
from streams.near import host_of, is_near

MAX_BODY = 5 * 1024 * 1024
SHUTDOWN_SECONDS = 1.0


class DevNode:
    """A server over ``chain``. ``port`` 0 takes a free one; ``url`` and ``ws_url`` are known after ``start``."""

    def __init__(self, chain: DevChain, host: str = "127.0.0.1", port: int = 0) -> None:
        self.chain = chain
        self._host = host
        self._port = port
        self._rpc = Rpc(chain)
        self._announcer = Announcer(chain)
        self._sockets: set[web.WebSocketResponse] = set()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where HTTP requests go."""
        return f"http://{self._host}:{self._port}"

    @property
    def ws_url(self) -> str:
        """Where WebSocket clients connect."""
        return f"ws://{self._host}:{self._port}"

    async def start(self) -> None:
        """Begin to serve. Raises ConfigurationError where the port is taken."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post("/", self._http)
        app.router.add_get("/", self._websocket)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigurationError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror or error}",
                "Take another port (0 for any free one), or stop what listens there.",
            ) from None
        self._runner = runner
        self._port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection and the port. Does nothing when not started."""
        await self.drop_connections()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def drop_connections(self) -> None:
        """Cut every WebSocket client off, as a restarting node does."""
        goodbyes = [socket.close(code=WSCloseCode.GOING_AWAY, message=b"node is stopping") for socket in self._sockets]
        await asyncio.gather(*(asyncio.wait_for(goodbye, SHUTDOWN_SECONDS) for goodbye in goodbyes), return_exceptions=True)

    def apply(self, step: Step) -> Iterator[HeadChange]:
        """Do a step and announce each change of the head as it is made."""
        for change in play(self.chain, step):
            self._announcer.announce(change)
            yield change

    def announce(self, change: HeadChange) -> HeadChange:
        """Tell subscribers of a change made on the chain directly."""
        self._announcer.announce(change)
        return change

    async def __aenter__(self) -> DevNode:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        await self.stop()

    async def _http(self, request: web.Request) -> web.Response:
        _check_host(request)
        if request.content_type not in {"application/json", "application/json-rpc"}:
            raise web.HTTPUnsupportedMediaType(text="invalid content type, only application/json is supported")
        body = await request.read()
        answer = self._rpc.answer(body) if body else None
        return web.Response(body=answer or b"", content_type="application/json")

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        _check_host(request)
        _check_origin(request)
        socket = web.WebSocketResponse(max_msg_size=MAX_BODY, compress=False, heartbeat=30.0, timeout=SHUTDOWN_SECONDS)
        if not socket.can_prepare(request).ok:
            return web.Response(text="POST JSON-RPC here, or connect by WebSocket.\n")
        await socket.prepare(request)
        connection = self._announcer.connect()
        self._sockets.add(socket)
        writer = asyncio.create_task(_write(socket, connection))
        guard = asyncio.create_task(_cut_off(request, connection))
        try:
            await self._read(socket, connection)
        finally:
            self._announcer.connections.discard(connection)
            self._sockets.discard(socket)
            writer.cancel()
            guard.cancel()
            await asyncio.gather(writer, guard, return_exceptions=True)
        return socket

    async def _read(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        async for message in socket:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                return
            answer = self._rpc.answer(message.data, connection)
            if answer is not None:
                connection.send(answer)


async def _write(socket: web.WebSocketResponse, connection: Connection) -> None:
    while True:
        message = await connection.outbox.get()
        await socket.send_str(message.decode())


async def _cut_off(request: web.Request, connection: Connection) -> None:
    """End a connection whose client does not read. No goodbye: its buffers are full, and a close would wait for them."""
    await connection.overrun.wait()
    if request.transport is not None:
        request.transport.abort()


def _check_host(request: web.Request) -> None:
    """Loopback names and plain addresses only: a name that merely resolves here is a web page's trick."""
    name = urlsplit(f"//{request.host}").hostname or ""
    if name != "localhost" and not _is_address(name):
        raise web.HTTPForbidden(text="invalid host specified")


def _check_origin(request: web.Request) -> None:
    origin = request.headers.get("Origin")
    if origin is not None and not is_near(host_of(origin)):
        raise web.HTTPForbidden(text="origin not allowed")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
