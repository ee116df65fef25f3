"""A circuit breaker: the package ``circuitbreaker`` counts failures in a row and opens; this adds what it lacks.

That is: the quota of trial calls while half-open, several of which must succeed; a bound on calls at once; the newest times;
opening and closing by hand; a clock that is given. Threads and tasks may share one.
Invariant: what a call comes to counts only in the state it began in, so an answer that comes late neither closes a circuit that
opened meanwhile nor opens one that was closed; errors that are no failure of the place (``may_pass``) count as nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import circuitbreaker

from streams.errors import MonmouthError, may_pass
from streams.policy.errors import CrowdedError
from streams.policy.terms import USUAL, Terms

TIMES = 100
"""Durations that are kept."""


class State(IntEnum):
    """As the gauge shows it."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


_STATES = {
    circuitbreaker.STATE_CLOSED: State.CLOSED,
    circuitbreaker.STATE_OPEN: State.OPEN,
    circuitbreaker.STATE_HALF_OPEN: State.HALF_OPEN,
}


@dataclass(frozen=True, slots=True)
class Permit:
    """One call that was let through. ``turn``: of the state that it began in."""

    turn: int
    trial: bool
    began: float


@dataclass(frozen=True, slots=True)
class View:
    """A breaker as health checks see it. ``seconds``: how long the newest calls took, oldest first."""

    name: str
    state: State
    failures: int
    running: int
    retry_after: float
    last_failure: str
    seconds: tuple[float, ...]


class Breaker(circuitbreaker.CircuitBreaker):  # type: ignore[misc]  # it has no types
    """Closed, open for a time, half-open, and closed again. Each ``admit`` is followed by one ``settle``."""

    def __init__(self, name: str, terms: Terms = USUAL, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(
            failure_threshold=terms.failures,
            recovery_timeout=terms.open_seconds,
            expected_exception=lambda _, error: may_pass(error),
            name=name,
        )
        self.terms = terms
        self._clock = clock
        self._lock = threading.Lock()
        self._times: deque[float] = deque(maxlen=TIMES)
        self._until = float("-inf")
        self._why = ""
        self._turn = 0
        self._running = 0
        self._trials = 0
        self._passed = 0

    @property
    def open_remaining(self) -> float:
        """Seconds until trial calls are let through."""
        return self._until - self._clock()

    @property
    def now(self) -> State:
        """The state."""
        return _STATES[self.state]

    def view(self) -> View:
        """How it stands."""
        with self._lock:
            left = max(0.0, self.open_remaining) if self.opened else 0.0
            return View(self.name, self.now, self.failure_count, self._running, left, self._reason(), tuple(self._times))

    def admit(self) -> Permit:
        """Lets a call through. Raises CircuitOpenError, CrowdedError."""
        with self._lock:
            state, terms = self.now, self.terms
            if state is State.OPEN:
                raise terms.opened(self.name, self.open_remaining, self._reason())
            trial = state is State.HALF_OPEN
            if trial and self._trials + self._passed >= terms.successes:
                raise terms.opened(self.name, terms.first_pause, self._reason())
            if terms.concurrent is not None and self._running >= terms.concurrent:
                raise CrowdedError(f"{self.name} has {self._running} calls under way, and may have no more")
            self._running += 1
            self._trials += trial
            return Permit(self._turn, trial, self._clock())

    def settle(self, permit: Permit, error: BaseException | None) -> None:
        """Says what became of a call that was let through."""
        with self._lock:
            self._running -= 1
            self._times.append(self._clock() - permit.began)
            if permit.turn != self._turn:
                return
            self._trials -= permit.trial
            if error is None:
                self._succeeded(permit.trial)
            elif isinstance(error, Exception) and self.is_failure(type(error), error):
                super().__exit__(type(error), error, error.__traceback__)
                if self._state == circuitbreaker.STATE_OPEN:
                    self._open(self.terms.open_seconds, "")

    def _succeeded(self, trial: bool) -> None:
        if trial:
            self._passed += 1
            if self._passed < self.terms.successes:
                return
            self._change()
        super().__exit__(None, None, None)

    def force_open(self, seconds: float = float("inf"), why: str = "closed off by hand") -> None:
        """Opens it, whatever calls come to; for good, or for so long, after which trial calls decide."""
        with self._lock:
            self._open(seconds, why)

    def force_close(self) -> None:
        """Closes it; failures are counted anew."""
        with self._lock:
            self._change()
            self.reset()

    def clear(self) -> None:
        """As if it were new, but for calls under way."""
        self.force_close()
        with self._lock:
            self._times.clear()

    def _open(self, seconds: float, why: str) -> None:
        self._change()
        self._state = circuitbreaker.STATE_OPEN
        self._failure_count = max(self.failure_count, self.terms.failures)
        self._until, self._why = self._clock() + seconds, why

    def _change(self) -> None:
        self._turn += 1
        self._trials = self._passed = 0
        self._why = ""

    def _reason(self) -> str:
        error = self.last_failure
        said = error.message if isinstance(error, MonmouthError) else type(error).__name__
        return self._why or (said if error is not None else "")
