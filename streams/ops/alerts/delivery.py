"""Tells one channel events, one at a time: the same for what waits in memory (``lanes``) and in the log (``teller``).

Invariants: what may pass is tried ``TRIES`` times with pauses that double, or as long as the receiver asked for up to
``LONGEST_ASKED``, and then once every ``LONGEST_ASKED`` for ``PATIENCE`` at most, while whoever told it says that it is worth
it; what never will pass is given up at once; whatever became of an event is counted, and the next one is told. What was given
up is said in the log, where the channel ``log`` writes.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable

from streams.errors import may_pass
from streams.ops.alerts.channels import Channel
from streams.ops.alerts.errors import ChannelError
from streams.ops.alerts.life import Event
from streams.ops.alerts.metrics import OUTCOMES, TELLING, TOLD
from streams.policy import Policy, Terms
from streams.wall import time_of_day

log = logging.getLogger("monmouth.alerts")
TRIES = 8
LONGEST_ASKED = 60.0
"""Seconds that a receiver may ask for between two tries."""
LONGEST = 900.0
"""Seconds that ``TRIES`` take at most: their pauses, and what a receiver asked for, included."""
PATIENCE = 3_600.0
"""Seconds that an event which is still worth it is tried on."""
TERMS = Terms(
    failures=sys.maxsize,  # an open circuit would give up the next event without asking
    concurrent=1,
    call_seconds=None,  # channels bound their calls
    tries=TRIES,
    first_pause=1.0,
    longest_pause=LONGEST_ASKED,
)

_Ask = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]


class Delivery:
    """``name``: of the channel, as rules say it. ``sleep`` and ``clock`` are given in tests."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._channel = channel
        self._sleep = sleep
        self._clock = clock
        self._policy = Policy(f"channel {name}", TERMS, sleep=sleep, asked=_asked)
        for outcome in OUTCOMES:  # from zero, so that the first one is seen to be an increase
            TOLD.labels(name, outcome)

    async def tell(self, event: Event, worth: Callable[[], Awaitable[bool]] | None = None) -> None:
        """Raises nothing: the next event is told whatever one met.

        ``worth``: whether it is still to be told, asked before each further try; without it there are ``TRIES`` alone.
        """
        began, tries = self._clock(), TRIES
        error = await self._tried(event, self._policy.call)
        if error is not None and may_pass(error) and worth is not None:
            self._late(event, error)
            while error is not None and may_pass(error) and self._clock() - began < PATIENCE:
                await self._sleep(LONGEST_ASKED)
                if not await worth():
                    break
                error, tries = await self._tried(event, self._policy.once), tries + 1
        if error is not None:
            self._given_up(event, error, tries)
            return
        TOLD.labels(self.name, "taken").inc()
        TELLING.labels(self.name).observe(max(0.0, time_of_day() - event.at))

    async def _tried(self, event: Event, ask: _Ask) -> Exception | None:
        """What it met, by a way to ask of the policy."""
        try:
            await ask(lambda: self._channel.send(event))
        except Exception as error:  # also what a client's library was not said to raise
            return error
        return None

    def _late(self, event: Event, error: Exception) -> None:
        TOLD.labels(self.name, "late").inc()
        log.error("channel %s: not told after %d tries, which go on (%s): %s", self.name, TRIES, _said(error), event.summary)

    def _given_up(self, event: Event, error: Exception, tries: int) -> None:
        outcome, after = ("given up", f"after {tries} tries") if may_pass(error) else ("refused", "it would be refused again")
        TOLD.labels(self.name, outcome).inc()
        log.error("channel %s: given up, %s (%s): %s", self.name, after, _said(error), event.summary)


def _said(error: Exception) -> str:
    return error.message if isinstance(error, ChannelError) else type(error).__name__


def _asked(error: Exception) -> float | None:
    """Seconds that the receiver asked for, within bounds."""
    if not isinstance(error, ChannelError) or error.retry_after is None:
        return None
    return min(error.retry_after, LONGEST_ASKED)
