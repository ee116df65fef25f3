"""How a client reaches a gateway: over HTTP, or inside the same process.

Invariants: a call that met a connection the server had closed meanwhile is sent once more, a call the gateway put off
(``unavailable``, ``rate_limited``) up to ``RETRIES`` times, after the pause the gateway asked for and never past the call's
deadline; a repeated call has the same bytes, so the same command id. A token stands in a header, and in no message or URL, and
goes to no other machine in the clear unless the caller says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import aiohttp
from starlette.types import ASGIApp, Message

from streams.errors import ConfigurationError
from streams.near import demand_near, host_of
from streams.pools import http_session
from streams.serving.calls import Call, refusal
from streams.serving.client_errors import (
    GatewayError,
    RateLimitedError,
    UnavailableError,
    UnencryptedError,
    UnreachableError,
    UnreadableError,
)

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT = 45.0
RETRIES = 2
LONGEST_PAUSE = 5.0
LINE_LIMIT = 1 << 20
AUTHORIZATION = "authorization"
HEADERS = {"content-type": "application/json", "accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. ``retry_after``, ``media_type``: the headers, if there were any."""

    status: int
    body: bytes
    retry_after: str | None = None
    media_type: str | None = None


class Exchange(Protocol):
    """Sends one request and waits for the whole reply. Raises UnreachableError."""

    async def __call__(self, call: Call[Any], headers: dict[str, str], timeout: float) -> Reply: ...

    async def close(self) -> None:
        """Closes what is open; safe to call twice."""


class Patience:
    """Whether a refusal is worth another try, and after which pause."""

    def __init__(self, timeout: float, retries: int = RETRIES) -> None:
        self._deadline = time.monotonic() + timeout
        self._left = retries

    @property
    def seconds(self) -> float:
        """Until the deadline."""
        return max(0.001, self._deadline - time.monotonic())

    def pause(self, error: GatewayError) -> float:
        """Seconds to wait before the call is sent again. Raises ``error`` if it is not to be."""
        pause = error.retry_after if error.retry_after is not None else 1.0
        if (
            not isinstance(error, (UnavailableError, RateLimitedError))
            or self._left <= 0
            or pause > min(LONGEST_PAUSE, self.seconds)
        ):
            raise error
        self._left -= 1
        return pause


def checked_url(url: str) -> str:
    """The address of a gateway without its last slash. Raises GatewayError."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise GatewayError(f"{url!r} is not the address of a gateway", f"It looks like {DEFAULT_URL}.")
    return url.rstrip("/")


def listed(url: str | Sequence[str]) -> list[str]:
    """The addresses of gateways that a client was given. Raises GatewayError."""
    urls = [checked_url(each) for each in ([url] if isinstance(url, str) else url)]
    if not urls:
        raise GatewayError("a client needs the address of a gateway", f"It looks like {DEFAULT_URL}.")
    return urls


def demand_private(url: str, headers: Mapping[str, str], allow_unencrypted: bool = False) -> None:
    """Raises UnencryptedError if the token in ``headers`` would go to another machine than this one in the clear."""
    if AUTHORIZATION not in headers or allow_unencrypted or not url.startswith("http://"):
        return
    try:
        demand_near(
            [host_of(url)],
            f"the way of the token to {url}",
            "Write https:// in the address of the gateway",
            "gateway.allow_unencrypted, or allow_unencrypted=True of a client in Python",
        )
    except ConfigurationError as error:
        raise UnencryptedError(error.message, error.hint) from None


def headers_with(token: str | None) -> dict[str, str]:
    """The headers of every request. Raises GatewayError for a token that no header can hold; does not repeat it."""
    if token is None:
        return HEADERS
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise GatewayError("the token is not one", "A token is printable ASCII without spaces, as the gateway gave it.")
    return {**HEADERS, AUTHORIZATION: f"Bearer {token}"}


def unreachable(url: str, error: Exception) -> UnreachableError:
    """There was no answer."""
    reason = str(error) or type(error).__name__
    return UnreachableError(f"no answer from {url}: {reason}", "Is the gateway running? `monmouth gateway` starts one.")


class OverHttp:
    """An Exchange over sockets; connects at the first request. ``allow_unencrypted``: a token may go anywhere in the clear."""

    def __init__(self, url: str, *, allow_unencrypted: bool = False) -> None:
        self._url = url
        self._allow_unencrypted = allow_unencrypted
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, call: Call[Any], headers: dict[str, str], timeout: float) -> Reply:
        demand_private(self._url, headers, self._allow_unencrypted)
        try:
            try:
                return await self._once(call, headers, timeout)
            except aiohttp.ServerDisconnectedError:  # an idle connection that the server had closed
                return await self._once(call, headers, timeout)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable(self._url, error) from None

    def way(self, _: int) -> OverHttp:
        """The one there is: as of ``OverSeveral``."""
        return self

    async def _once(self, call: Call[Any], headers: dict[str, str], timeout: float) -> Reply:
        limit = aiohttp.ClientTimeout(total=timeout)
        async with self.session.request(
            call.method, self._url + call.target, data=call.body, headers=call.headed(headers), timeout=limit
        ) as response:
            said = response.headers
            return Reply(response.status, await response.read(), said.get("retry-after"), said.get("content-type"))

    async def lines(self, call: Call[Any], headers: dict[str, str], silence: float) -> AsyncGenerator[bytes]:
        """Lines of a response as they come. Raises what was refused; UnreachableError after ``silence`` seconds without one."""
        demand_private(self._url, headers, self._allow_unencrypted)
        limit = aiohttp.ClientTimeout(total=None, sock_connect=silence, sock_read=silence)
        try:
            async with self.session.request(call.method, self._url + call.target, headers=headers, timeout=limit) as response:
                if response.status != HTTPStatus.OK:
                    raise refusal(call.path, response.status, await response.read(), response.headers.get("retry-after"))
                while line := await response.content.readline():
                    yield line
        except ValueError as error:  # a line too long
            raise UnreadableError(f"{call.path} answered what this client cannot read: {error}") from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable(self._url, error) from None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connections."""
        if self._session is None:
            self._session = http_session("gateway", read_bufsize=LINE_LIMIT)
        return self._session

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class InProcess:
    """An Exchange with an application of the same process: its own limits, authentication and errors, but no socket.

    ``more``: what the scope of each request says besides, such as who asks where this process knows it.
    """

    def __init__(self, app: ASGIApp, more: Mapping[str, Any] | None = None) -> None:
        self._app = app
        self._more = more or {}

    async def __call__(self, call: Call[Any], headers: dict[str, str], timeout: float) -> Reply:
        path, _, query = call.target.partition("?")
        content = call.body or b""
        raw = [(name.encode(), value.encode()) for name, value in call.headed(headers).items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": call.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"localhost"), (b"content-length", str(len(content)).encode()), *raw],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 0),
            **self._more,
        }
        sent = False
        start: Message = {"status": 500, "headers": []}
        parts: list[bytes] = []

        async def receive() -> Message:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            else:
                parts.append(message.get("body", b""))

        try:
            async with asyncio.timeout(timeout):
                await self._app(scope, receive, send)
        except TimeoutError as error:
            raise unreachable("the gateway", error) from None
        found = {name.lower(): value for name, value in start["headers"]}
        retry_after, media_type = (
            value.decode("latin-1") if (value := found.get(name)) else None for name in (b"retry-after", b"content-type")
        )
        return Reply(start["status"], b"".join(parts), retry_after, media_type)

    async def close(self) -> None:
        pass
