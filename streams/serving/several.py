"""Several gateways behind one client: an Exchange that chooses one for each call, and another one where that does not answer.

    async with AsyncClient(exchange=OverSeveral([one, other]), token=token) as monmouth: ...

Calls are idempotent (commands carry an id, so a repeated one has the same bytes), so a call may go to another gateway after the
first gave no answer. A gateway that failed several times in a row is left alone for a while, unless all are in that state. To
read one's own writes, wait for them as ever (``wait``, ``wait_for``): that holds at any gateway. A login by key is of one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from streams.core.balance import Balance, Strategy
from streams.policy import Breaker, CircuitOpenError, State, Terms
from streams.serving.calls import Call
from streams.serving.client_errors import GatewayError, UnreachableError
from streams.serving.transport import OverHttp, Reply, checked_url

TERMS = Terms(failures=3, open_seconds=5.0, successes=1, concurrent=None, call_seconds=None)
FAULT = 500


class OverSeveral:
    """``weights``: of each, for the strategy ``weighted``. Raises GatewayError for what is no address."""

    def __init__(self, urls: Sequence[str], strategy: Strategy = "adaptive", weights: Sequence[float] = ()) -> None:
        if not urls or (weights and len(weights) != len(urls)):
            raise GatewayError(f"{len(urls)} gateways with {len(weights)} weights", "One weight for each address, or none.")
        self.urls = [checked_url(url) for url in urls]
        self._ways = [OverHttp(url) for url in self.urls]
        self._breakers = [Breaker(f"gateway {url}", TERMS) for url in self.urls]
        self._balance = Balance(strategy, weights or [1.0] * len(urls))

    async def __call__(self, call: Call[Any], headers: dict[str, str], timeout: float) -> Reply:
        """The reply of the first that gives one. Raises UnreachableError if none does."""
        deadline = time.monotonic() + timeout
        tried: set[int] = set()
        while True:
            chosen = self._balance.begin(self._able(tried))
            tried.add(chosen)
            try:
                return await self._asked(chosen, call, headers, max(0.001, deadline - time.monotonic()))
            except UnreachableError:
                if len(tried) == len(self.urls) or time.monotonic() >= deadline:
                    raise

    def _able(self, tried: set[int]) -> list[int]:
        left = [way for way in range(len(self.urls)) if way not in tried]
        return [way for way in left if self._breakers[way].now is not State.OPEN] or left

    async def _asked(self, chosen: int, call: Call[Any], headers: dict[str, str], timeout: float) -> Reply:
        try:
            permit = self._breakers[chosen].admit()
        except CircuitOpenError:  # all are in that state: better one that may be back than none
            permit = None
        started, good = time.monotonic(), False
        failure: BaseException | None = None
        try:
            reply = await self._ways[chosen](call, headers, timeout)
            good = reply.status < FAULT
        except BaseException as error:
            failure = error
            raise
        finally:
            self._balance.end(chosen, time.monotonic() - started, good)
            if permit is not None:
                self._breakers[chosen].settle(permit, failure)
        return reply

    async def close(self) -> None:
        for way in self._ways:
            await way.close()
