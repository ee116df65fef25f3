"""Which of several gateways a client asks next: by a strategy of ``streams.core.balance``, and around those that fail.

Invariant: each turn that begins also ends, so that what is counted as under way is; safe for threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from streams.core.balance import Balance, Strategy
from streams.policy import Breaker, CircuitOpenError, State, Terms
from streams.policy.breaker import Permit
from streams.serving.client_errors import GatewayError
from streams.serving.transport import checked_url

TERMS = Terms(failures=3, open_seconds=5.0, successes=1, concurrent=None, call_seconds=None)
FAULT = 500


@dataclass(slots=True)
class Turn:
    """One gateway asked once. ``permit``: of its circuit; None where it was open, and there was no other. ``status``: of its
    reply, to be set by who asks.
    """

    number: int
    permit: Permit | None
    status: int = FAULT
    started: float = field(default_factory=time.monotonic)


class Choice:
    """``weights``: of each gateway, for the strategy ``weighted``. Raises GatewayError for what is no address."""

    def __init__(self, urls: Sequence[str], strategy: Strategy = "adaptive", weights: Sequence[float] = ()) -> None:
        if not urls or (weights and len(weights) != len(urls)):
            raise GatewayError(f"{len(urls)} gateways with {len(weights)} weights", "One weight for each address, or none.")
        self.urls = [checked_url(url) for url in urls]
        self.breakers = [Breaker(f"gateway {url}", TERMS) for url in self.urls]
        self._balance = Balance(strategy, weights or [1.0] * len(urls))
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, tried: set[int]) -> Iterator[Turn]:
        """The next one, of those that were not ``tried`` for this call, to which it is added; not all of them were. What is
        raised while it is asked is its failure.
        """
        turn = self._begin(tried)
        try:
            yield turn
        except BaseException as error:
            self._end(turn, error)
            raise
        self._end(turn)

    def _begin(self, tried: set[int]) -> Turn:
        with self._lock:
            chosen = self._balance.begin(self._able(tried))
        tried.add(chosen)
        try:
            return Turn(chosen, self.breakers[chosen].admit())
        except CircuitOpenError:  # all are in that state: better one that may be back than none
            return Turn(chosen, None)

    def _able(self, tried: set[int]) -> list[int]:
        left = [way for way in range(len(self.urls)) if way not in tried]
        return [way for way in left if self.breakers[way].now is not State.OPEN] or left

    def _end(self, turn: Turn, failure: BaseException | None = None) -> None:
        with self._lock:
            self._balance.end(turn.number, time.monotonic() - turn.started, turn.status < FAULT)
        if turn.permit is not None:
            self.breakers[turn.number].settle(turn.permit, failure)
