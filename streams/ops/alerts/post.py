"""HTTP POST to receivers of alerts, over one session whose connections are kept open between events.

Assumes receivers that answer within ``TIMEOUT``. Invariants: an address is in no error, since it may be a secret; no redirect
is followed; what may pass (no answer, 408, 425, 429, 5xx) is a ChannelError, every other answer a RefusedEventError.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import aiohttp

from streams.ops.alerts.errors import ChannelError, RefusedEventError
from streams.wall import time_of_day

TIMEOUT = 10.0
NOWHERE = (ValueError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, aiohttp.ClientConnectorCertificateError)
"""No address, or the address of somebody else."""
PASSING = frozenset({408, 425, 429})
"""Answers below 500 that say: later."""


class Poster:
    """Connects at the first use. ``close`` at the end."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def post(self, channel: str, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Raises ChannelError unless it was taken."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                if not 200 <= answer.status < 300:
                    raise _refusal(channel, answer)
        except NOWHERE as error:
            raise RefusedEventError(f"{channel}: cannot be told: {type(error).__name__}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ChannelError(f"{channel}: not told: {type(error).__name__}") from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def seconds_asked(text: str | None, now: float) -> float | None:
    """Of a Retry-After, which is seconds or a date; None for what is neither."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _refusal(channel: str, answer: aiohttp.ClientResponse) -> ChannelError:
    said = f"{channel}: the receiver answered {answer.status}"
    if answer.status not in PASSING and answer.status < 500:
        return RefusedEventError(said)
    return ChannelError(said, retry_after=seconds_asked(answer.headers.get("Retry-After"), time_of_day()))
