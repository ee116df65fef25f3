"""How the blocking client reaches gateways: over one kept connection each, from any thread.

Invariants: one request at a time on a connection; one that met a connection the server had closed meanwhile is sent once more;
a token goes to no other machine in the clear.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from streams.core.balance import Strategy
from streams.serving.calls import Call, refusal
from streams.serving.choice import Choice
from streams.serving.client_errors import UnreachableError
from streams.serving.transport import LINE_LIMIT, Reply, checked_url, demand_private, unreachable

STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, http.client.CannotSendRequest)
FAILURES = (OSError, http.client.HTTPException)


class Way:
    """To one gateway. Connects at the first request."""

    def __init__(self, url: str, *, allow_unencrypted: bool = False) -> None:
        self.url = checked_url(url)
        self._allow_unencrypted = allow_unencrypted
        self._connection = self._made(None)
        self._lock = threading.Lock()

    def ask(self, call: Call[Any], headers: dict[str, str], timeout: float) -> Reply:
        """Sends one request and waits for the whole reply. Raises UnreachableError."""
        demand_private(self.url, headers, self._allow_unencrypted)
        with self._lock:
            try:
                try:
                    return self._once(call, headers, timeout)
                except STALE:  # an idle connection that the server had closed
                    self._connection.close()
                    return self._once(call, headers, timeout)
            except FAILURES as error:
                self._connection.close()
                raise unreachable(self.url, error) from None

    def _once(self, call: Call[Any], headers: dict[str, str], timeout: float) -> Reply:
        self._connection.timeout = timeout
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout)
        self._connection.request(call.method, call.target, call.body, call.headed(headers))
        response = self._connection.getresponse()
        said = response.headers
        return Reply(response.status, response.read(), said.get("retry-after"), said.get("content-type"))

    def lines(self, call: Call[Any], headers: dict[str, str], silence: float) -> Generator[bytes]:
        """Lines of a response as they come, on a connection of their own; UnreachableError after ``silence`` without one."""
        demand_private(self.url, headers, self._allow_unencrypted)
        with closing(self._made(silence)) as connection:
            try:
                connection.request(call.method, call.target, headers=headers)
                response = connection.getresponse()
                if response.status != HTTPStatus.OK:
                    raise refusal(call.path, response.status, response.read(), response.headers.get("retry-after"))
                while line := response.readline(LINE_LIMIT + 1):
                    yield line
            except FAILURES as error:
                raise unreachable(self.url, error) from None

    def way(self, _: int) -> Way:
        """The one there is: as of ``Ways``."""
        return self

    def _made(self, timeout: float | None) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        connection = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return connection(parts.hostname, parts.port, timeout=timeout)

    def close(self) -> None:
        """Closes the connection; safe to call twice."""
        self._connection.close()


def over_http(urls: Sequence[str], strategy: Strategy, weights: Sequence[float], *, allow_unencrypted: bool) -> Way | Ways:
    """The way to one gateway, or to several. Raises GatewayError."""
    if len(urls) == 1 and not weights:
        return Way(urls[0], allow_unencrypted=allow_unencrypted)
    return Ways(urls, strategy, weights, allow_unencrypted=allow_unencrypted)


class Ways:
    """To several gateways: another one is asked where one gives no answer. Raises GatewayError for what is no address."""

    def __init__(
        self,
        urls: Sequence[str],
        strategy: Strategy = "adaptive",
        weights: Sequence[float] = (),
        *,
        allow_unencrypted: bool = False,
    ) -> None:
        self._choice = Choice(urls, strategy, weights)
        self.urls = self._choice.urls
        self._ways = [Way(url, allow_unencrypted=allow_unencrypted) for url in self.urls]

    def ask(self, call: Call[Any], headers: dict[str, str], timeout: float) -> Reply:
        """The reply of the first that gives one. Raises UnreachableError if none does."""
        deadline = time.monotonic() + timeout
        tried: set[int] = set()
        while True:
            try:
                return self._asked(tried, call, headers, max(0.001, deadline - time.monotonic()))
            except UnreachableError:
                if len(tried) == len(self.urls) or time.monotonic() >= deadline:
                    raise

    def _asked(self, tried: set[int], call: Call[Any], headers: dict[str, str], timeout: float) -> Reply:
        with self._choice.turn(tried) as turn:
            reply = self._ways[turn.number].ask(call, headers, timeout)
            turn.status = reply.status
            return reply

    def way(self, number: int) -> Way:
        """One of them, in turn."""
        return self._ways[number % len(self._ways)]

    def close(self) -> None:
        """Closes all connections; safe to call twice."""
        for way in self._ways:
            way.close()
