"""Refusals: errors with an HTTP status. Every error body is {error, message, hint}, on every route.

Invariant: no stack trace and no file path of ours leaves the process; a defect answers 500 and keeps its trace in the log.
"""

from __future__ import annotations

from streams.errors import Category, MonmouthError, Severity


class Refusal(MonmouthError):
    """An answer that is not the one asked for. ``error`` names it for programs."""

    category = Category.PROCESSING
    severity = Severity.LOW
    status = 400
    error = "bad_request"


class BadRequestError(Refusal):
    """The request is wrong as it stands."""


class UnauthenticatedError(Refusal):
    """Nobody known asks."""

    status = 401
    error = "unauthenticated"


class ForbiddenError(Refusal):
    """Whoever asks may not."""

    status = 403
    error = "forbidden"


class NotFoundError(Refusal):
    """Nothing of that name is live."""

    status = 404
    error = "not_found"


class NotKeptError(Refusal):
    """It was, and is not remembered."""

    status = 404
    error = "not_kept"


class ConflictError(Refusal):
    """What the log says and what the stores hold do not agree yet."""

    status = 409
    error = "not_settled"
    severity = Severity.MEDIUM


class GoneError(Refusal):
    """The agent was erased."""

    status = 410
    error = "erased"


class NeverPublishedError(Refusal):
    """Asked to prove from a commitment that was never made."""

    status = 409
    error = "never_published"
    severity = Severity.HIGH


class CursorLostError(Refusal):
    """A place in a log that the log does not have, or no longer."""

    status = 410
    error = "cursor_lost"


class RateLimitedError(Refusal):
    """More than one caller may have at a time. ``retry_after``: whole seconds."""

    severity = Severity.LOW
    passes = True
    status = 429
    error = "rate_limited"

    def __init__(self, message: str, hint: str = "", retry_after: int = 1) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class TooLargeError(Refusal):
    """Beyond a limit."""

    status = 413
    error = "too_large"


class UnavailableError(Refusal):
    """Cannot answer truthfully now. ``retry_after``: whole seconds."""

    category = Category.EXTERNAL
    severity = Severity.HIGH
    passes = True
    status = 503
    error = "unavailable"

    def __init__(self, message: str, hint: str = "", retry_after: int = 1) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class LateError(UnavailableError):
    """What a read was to wait for did not come in time."""

    category = Category.PROCESSING
    severity = Severity.LOW
    status = 504
    error = "not_visible_yet"
