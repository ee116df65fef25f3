"""What a client does to follow a feed without a gap: parse, remember where it is, and decide when to connect again. No I/O.

Invariant: the place to resume at moves only past what was handed out, so an event is neither lost nor repeated, whatever breaks
in between; and only what may pass is waited for: a refusal, such as of a token, is raised at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Literal

from pydantic import ValidationError

from streams.serving import calls
from streams.serving.calls import Call
from streams.serving.client_errors import (
    GatewayError,
    InternalError,
    OverflowedError,
    PartFailedError,
    RateLimitedError,
    UnavailableError,
    UnreachableError,
    UnreadableError,
    error_of,
)
from streams.serving.said import Name
from streams.serving.transport import LINE_LIMIT
from streams.serving.wire import Change, ChangeType, FeedEnd

PASSING = (UnreachableError, UnavailableError, RateLimitedError, OverflowedError, PartFailedError, InternalError)
PATIENCE = 60.0
SILENCE = 45.0
"""Seconds without a line, three heartbeats, after which a connection counts as lost."""
SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
ENDS = frozenset({"end", "overflow"})

Start = Literal["now", "beginning"]


class Following:
    """One feed, over as many connections as it takes."""

    def __init__(
        self, agent: Name, types: Iterable[ChangeType], cursor: str | None, start: Start, patience: float = PATIENCE
    ) -> None:
        """``patience``: seconds without a gateway before the error is raised."""
        self.cursor = cursor
        self._agent, self._types, self._start = agent, list(types), start
        self._patience = patience
        self._pause = SHORTEST_PAUSE
        self._lost_at: float | None = None
        self._begin()

    def call(self) -> Call[Change]:
        """The request that goes on from here."""
        self._begin()
        return calls.watch(self._agent, types=self._types, cursor=self.cursor, start=self._start)

    def line(self, raw: bytes) -> Change | None:
        """The next line of the response. Raises what ended the feed."""
        if len(raw) > LINE_LIMIT:
            raise UnreadableError(f"a line of the feed has more than {LINE_LIMIT} bytes", "Is it a Monmouth gateway?")
        text = raw.decode().rstrip("\r\n")
        if not text:
            return self._dispatch()
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            self._id = value
        elif field == "event":
            self._name = value
        elif field == "data":
            self._data = value
        return None

    def broken_off(self) -> UnreachableError:
        """What the end of a connection means that no event announced."""
        return UnreachableError("the feed broke off", "Is the gateway running? `monmouth gateway` starts one.")

    def pause(self, error: GatewayError) -> float:
        """Seconds to wait before the next connection. Raises ``error`` if it will not pass, or has not for too long."""
        now = time.monotonic()
        self._lost_at = now if self._lost_at is None else self._lost_at
        if not isinstance(error, PASSING) or now - self._lost_at > self._patience:
            raise error
        if isinstance(error, OverflowedError):
            return 0
        pause = max(self._pause, min(error.retry_after or 0, LONGEST_PAUSE))
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return pause

    def _begin(self) -> None:
        self._id, self._name, self._data = "", "", ""

    def _dispatch(self) -> Change | None:
        place, name, data = self._id, self._name, self._data
        self._begin()
        try:
            if name in ENDS:
                end = FeedEnd.model_validate_json(data)
                self.cursor = end.cursor
                raise error_of(end.error, end.message, end.hint)
            change = Change.model_validate_json(data) if data else None
        except ValidationError:
            raise UnreadableError(f"the feed sent {name!r} that this client cannot read", "Is it a Monmouth gateway?") from None
        self._lost_at, self._pause = None, SHORTEST_PAUSE
        self.cursor = place or self.cursor
        return change
