"""Why a receiver did not take an event: what may pass, and what never will.

Invariant: which of the two it is, is said by the type alone, so whoever tells events asks ``streams.errors.may_pass``.
"""

from __future__ import annotations

from streams.errors import Category, MonmouthError, Severity


class ChannelError(MonmouthError):
    """A receiver did not take an event now. ``retry_after``: seconds after which it wants to be asked again."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM
    passes = True

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class RefusedEventError(ChannelError):
    """A receiver takes this event never, or this program's settings never: another try is refused too."""

    passes = False
