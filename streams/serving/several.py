"""Several gateways behind one client: another one is asked where one does not answer.

    async with AsyncClient([one, other], token=token) as monmouth: ...

Calls are idempotent (commands carry an id, so a repeated one has the same bytes), so a call may go to another gateway after the
first gave no answer. A gateway that failed several times in a row is left alone for a while, unless all are in that state. To
read one's own writes, wait for them as ever (``wait``, ``wait_for``): that holds at any gateway. A login by key is of one.
For the client that blocks: ``streams.serving.blocking``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from streams.core.balance import Strategy
from streams.serving.calls import Call
from streams.serving.choice import Choice
from streams.serving.client_errors import UnreachableError
from streams.serving.transport import OverHttp, Reply


def over_http(
    urls: Sequence[str], strategy: Strategy, weights: Sequence[float], *, allow_unencrypted: bool
) -> OverHttp | OverSeveral:
    """The way to one gateway, or to several. Raises GatewayError."""
    if len(urls) == 1 and not weights:
        return OverHttp(urls[0], allow_unencrypted=allow_unencrypted)
    return OverSeveral(urls, strategy, weights, allow_unencrypted=allow_unencrypted)


class OverSeveral:
    """``weights``: of each, for the strategy ``weighted``. Raises GatewayError for what is no address."""

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
        self._ways = [OverHttp(url, allow_unencrypted=allow_unencrypted) for url in self.urls]

    async def __call__(self, call: Call[Any], headers: dict[str, str], timeout: float) -> Reply:
        """The reply of the first that gives one. Raises UnreachableError if none does."""
        deadline = time.monotonic() + timeout
        tried: set[int] = set()
        while True:
            try:
                return await self._asked(tried, call, headers, max(0.001, deadline - time.monotonic()))
            except UnreachableError:
                if len(tried) == len(self.urls) or time.monotonic() >= deadline:
                    raise

    async def _asked(self, tried: set[int], call: Call[Any], headers: dict[str, str], timeout: float) -> Reply:
        with self._choice.turn(tried) as turn:
            reply = await self._ways[turn.number](call, headers, timeout)
            turn.status = reply.status
            return reply

    def way(self, number: int) -> OverHttp:
        """One of them, in turn."""
        return self._ways[number % len(self._ways)]

    async def close(self) -> None:
        for way in self._ways:
            await way.close()
