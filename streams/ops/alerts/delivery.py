"""Tells one channel events, one at a time: the same for what waits in memory (``lanes``) and in the log (``teller``).

Invariants: what may pass is tried ``TRIES`` times with pauses that double, or as long as the receiver asked for up to
``LONGEST_ASKED``; what never will is given up at once; whatever became of an event is counted, and the next one is told. What
was given up is said in the log, where the channel ``log`` writes.
"""

from __future__ import annotations

import asyncio
import logging
import sys
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
"""Seconds within which an event is told or given up: all tries, their pauses, and what a receiver asked for."""
TERMS = Terms(
    failures=sys.maxsize,  # an open circuit would give up the next event without asking
    concurrent=1,
    call_seconds=None,  # channels bound their calls
    tries=TRIES,
    first_pause=1.0,
    longest_pause=LONGEST_ASKED,
)


class Delivery:
    """``name``: of the channel, as rules say it. ``sleep`` is given in tests."""

    def __init__(self, name: str, channel: Channel, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.name = name
        self._channel = channel
        self._policy = Policy(f"channel {name}", TERMS, sleep=sleep, asked=_asked)
        for outcome in OUTCOMES:  # from zero, so that the first one is seen to be an increase
            TOLD.labels(name, outcome)

    async def tell(self, event: Event) -> None:
        """Raises nothing: the next event is told whatever one met."""
        try:
            await self._policy.call(lambda: self._channel.send(event))
        except Exception as error:  # also what a client's library was not said to raise
            self._given_up(event, error)
            return
        TOLD.labels(self.name, "taken").inc()
        TELLING.labels(self.name).observe(max(0.0, time_of_day() - event.at))

    def _given_up(self, event: Event, error: Exception) -> None:
        outcome, after = ("given up", f"after {TRIES} tries") if may_pass(error) else ("refused", "it would be refused again")
        TOLD.labels(self.name, outcome).inc()
        said = error.message if isinstance(error, ChannelError) else type(error).__name__
        log.error("channel %s: given up, %s (%s): %s", self.name, after, said, event.summary)


def _asked(error: Exception) -> float | None:
    """Seconds that the receiver asked for, within bounds."""
    if not isinstance(error, ChannelError) or error.retry_after is None:
        return None
    return min(error.retry_after, LONGEST_ASKED)
