"""What the clients raise: one type for each name an error body can have, so that callers catch what they can deal with.

    except NotFoundError: ...                      # the name says what happened
    except UnavailableError as error: time.sleep(error.retry_after or 1)
    except GatewayError as error: print(error.status, error.error, error.hint)

Invariant: every name of ``streams.serving.faults`` and every category of ``streams.errors`` has its type here (a test looks). A
name that this client does not know, of a newer gateway, is a plain GatewayError that carries it.
"""

from __future__ import annotations

from streams.errors import Category, MonmouthError, Severity


class GatewayError(MonmouthError):
    """The gateway refused, or did not answer.

    ``status``: of HTTP, 0 if there was no answer. ``error``: the name of the refusal. ``retry_after``: seconds, if the gateway
    said when to ask again.
    """

    category = Category.EXTERNAL
    severity = Severity.MEDIUM
    name = ""

    def __init__(
        self, message: str, hint: str = "", status: int = 0, error: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.error = error or self.name or "unreachable"
        self.retry_after = retry_after


class UnreachableError(GatewayError):
    """Nobody answered."""

    category = Category.NETWORK
    severity = Severity.HIGH
    passes = True
    name = "unreachable"


class UnencryptedError(GatewayError):
    """A token would go to another machine in the clear."""

    category = Category.CONFIGURATION
    severity = Severity.HIGH
    name = "unencrypted"


class UnreadableError(GatewayError):
    """Somebody answered, but not a gateway of a version this client knows."""

    name = "unreadable"


class BadRequestError(GatewayError):
    """The request is wrong as it stands."""

    category = Category.PROCESSING
    severity = Severity.LOW
    name = "bad_request"


class InvalidError(GatewayError):
    """A field of the request is missing, unknown or out of its range; the message names it."""

    category = Category.PROCESSING
    severity = Severity.LOW
    name = "invalid"


class UnauthenticatedError(GatewayError):
    """No token, or one that does not count any more."""

    category = Category.CONFIGURATION
    severity = Severity.MEDIUM
    name = "unauthenticated"


class ForbiddenError(GatewayError):
    """The token is good, and not for this."""

    category = Category.CONFIGURATION
    severity = Severity.MEDIUM
    name = "forbidden"


class NotFoundError(GatewayError):
    """Nothing of that name is live."""

    category = Category.PROCESSING
    severity = Severity.LOW
    name = "not_found"


class ErasedError(GatewayError):
    """The agent was erased, for good."""

    name = "erased"


class NotKeptError(GatewayError):
    """It lies before what the gateway remembers."""

    category = Category.PROCESSING
    severity = Severity.LOW
    name = "not_kept"


class MethodNotAllowedError(GatewayError):
    """The gateway has the path, but not this method: it is of another version."""

    category = Category.PROCESSING
    severity = Severity.LOW
    name = "method_not_allowed"


class NotSettledError(GatewayError):
    """Log and stores do not agree yet; ask again."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM
    passes = True
    name = "not_settled"


class NeverPublishedError(GatewayError):
    """Asked to prove from a commitment that was never made."""

    category = Category.PROCESSING
    severity = Severity.LOW
    name = "never_published"


class CursorLostError(GatewayError):
    """The log does not have the place to resume at: read the memories anew, then follow from now on."""

    name = "cursor_lost"


class TooLargeError(GatewayError):
    """Beyond a limit."""

    category = Category.PROCESSING
    severity = Severity.LOW
    name = "too_large"


class RateLimitedError(GatewayError):
    """Too many requests; ``retry_after`` says when there is room."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM
    passes = True
    name = "rate_limited"


class OverflowedError(GatewayError):
    """A feed was read more slowly than changes came: connect again with the last id; the clients' ``watch`` does."""

    name = "overflow"


class UnavailableError(GatewayError):
    """The gateway cannot answer truthfully now; ask again."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM
    passes = True
    name = "unavailable"


class NotVisibleYetError(GatewayError):
    """What the read was to wait for did not come in time; nothing older was answered."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM
    passes = True
    name = "not_visible_yet"


class NotReadyError(GatewayError):
    """Answers would not be true yet, or not all of them; the message says which part is missing."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM
    passes = True
    name = "not_ready"


class InternalError(GatewayError):
    """A defect of the gateway; its log has the details."""

    name = "internal"


class PartFailedError(GatewayError):
    """A part behind the gateway failed: ``error`` is its category (database, network, ...)."""


TYPES: dict[str, type[GatewayError]] = {
    kind.name: kind
    for kind in (
        UnreachableError,
        UnreadableError,
        BadRequestError,
        InvalidError,
        UnauthenticatedError,
        ForbiddenError,
        NotFoundError,
        ErasedError,
        NotKeptError,
        MethodNotAllowedError,
        NotSettledError,
        NeverPublishedError,
        CursorLostError,
        TooLargeError,
        RateLimitedError,
        OverflowedError,
        UnavailableError,
        NotVisibleYetError,
        NotReadyError,
        InternalError,
    )
} | {category.value: PartFailedError for category in Category}


def error_of(name: str, message: str, hint: str = "", status: int = 0, retry_after: float | None = None) -> GatewayError:
    """The error of that name."""
    return TYPES.get(name, GatewayError)(message, hint, status, name, retry_after)
