"""One place outside, and how it is asked: tries with growing pauses (``backoff``), each through the breaker.

Asynchronous calls first; ``call_sync`` is for drivers that block, whose own timeouts bound a call. Assumes that what is tried
again is idempotent; ``once`` and ``guarded`` try once. Invariants: an error whose type does not say that it may pass is raised
at once and unchanged; so is the last of those that may; while the circuit is open nothing is asked and nothing waits.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import backoff

from streams.errors import may_pass
from streams.metrics import count_error
from streams.policy import metrics
from streams.policy.breaker import Breaker
from streams.policy.errors import CircuitOpenError, LateCallError
from streams.policy.terms import USUAL, Terms

T = TypeVar("T")


class Policy:
    """``clock``, both sleeps and ``draw`` (0 to 1) are given in tests.

    ``asked``: seconds that the place itself asked for before the next try, by its error; the pause is not shorter than that.
    """

    def __init__(
        self,
        name: str,
        terms: Terms = USUAL,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        sleep_sync: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
        asked: Callable[[Exception], float | None] = lambda _: None,
    ) -> None:
        self.name = name
        self.terms = terms
        self.breaker = Breaker(name, terms, clock)
        self._clock = clock
        self._sleep = sleep
        self._sleep_sync = sleep_sync
        self._draw = draw
        self._asked = asked
        waits = backoff.expo(base=2, factor=terms.first_pause, max_value=terms.longest_pause)
        next(waits)  # its first word is none
        self._pauses = list(itertools.islice(waits, max(0, terms.tries - 1)))

    async def call(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What ``ask`` gives, at the third try at the latest. Raises what the last try raised."""

        async def attempt() -> T:
            return await self.once(ask)

        async def pause(details: Any) -> None:
            await self._sleep(self._pause(details))

        tried: Callable[[], Awaitable[T]] = self._tries(pause)(attempt)
        return await tried()

    def call_sync(self, ask: Callable[[], T]) -> T:
        """The same for a call that blocks."""

        def attempt() -> T:
            with self.guarded():
                return ask()

        tried: Callable[[], T] = self._tries(lambda details: self._sleep_sync(self._pause(details)))(attempt)
        return tried()

    async def once(self, ask: Callable[[], Awaitable[T]]) -> T:
        """One call through the breaker. Raises CircuitOpenError, CrowdedError, LateCallError, and what ``ask`` raises."""
        with self.guarded():
            if self.terms.call_seconds is None:
                return await ask()
            limit = asyncio.timeout(self.terms.call_seconds)
            try:
                async with limit:
                    return await ask()
            except TimeoutError:
                if not limit.expired():
                    raise
                raise LateCallError(f"{self.name} gave no answer within {self.terms.call_seconds:g} s") from None

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """A block that is one call through the breaker: the cheapest way, which neither bounds its time nor tries again.

        A failure of the place is counted here, each time; any other error where it is met.
        """
        permit = self.breaker.admit()
        try:
            yield
        except BaseException as error:
            self.breaker.settle(permit, error)
            if may_pass(error):
                count_error(error)
            raise
        self.breaker.settle(permit, None)

    def _tries(self, pause: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """``backoff`` around one call; ``pause`` waits, so that it may be given in tests."""
        started = self._clock()

        def hopeless(error: Exception) -> bool:
            late = self.terms.call_seconds is not None and self._clock() - started >= self.terms.call_seconds
            return late or isinstance(error, CircuitOpenError) or not may_pass(error)

        return backoff.on_exception(
            backoff.constant,
            Exception,
            interval=0,
            jitter=None,
            max_tries=self.terms.tries,
            giveup=hopeless,
            on_backoff=pause,
            logger=None,
        )

    def _pause(self, details: Any) -> float:
        """Seconds before the next try. ``details``: what backoff says of the last one."""
        metrics.ATTEMPTS.labels(self.name).inc()
        pause: float = self._pauses[details["tries"] - 1]
        return max(pause * (1 + self.terms.jitter * (2 * self._draw() - 1)), self._asked(details["exception"]) or 0.0)
