"""The one error base class, with a category for metrics and a hint for the person who reads it.

What an error means is said by its type, never read from its text: what part of the world failed, how bad it is, and whether it
may pass. Invariants: an error shown to a user is a MonmouthError and says what to do; anything else is a defect and keeps its
trace; what may pass is never critical, so that nothing is both tried again and given up at once.
"""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """What part of the world failed."""

    NETWORK = "network"
    DATABASE = "database"
    MEMORY = "memory"
    CONFIGURATION = "configuration"
    EXTERNAL = "external"
    PROCESSING = "processing"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How bad it is for the pipeline as a whole."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class MonmouthError(Exception):
    """Base of all errors of the product; each type below it says its category and severity, itself or by its parent.

    ``hint`` says what the reader can do about it; it may be empty. ``passes``: the same call may succeed later although nobody
    did anything about it, as when a place was not reached or too busy.
    """

    category = Category.UNKNOWN
    severity = Severity.MEDIUM
    passes = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    @property
    def line(self) -> str:
        """Both in one line, for a log."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


def may_pass(error: BaseException) -> bool:
    """Whether its type says that another try may succeed. What the standard library raises for a lost connection does too."""
    return error.passes if isinstance(error, MonmouthError) else isinstance(error, TimeoutError | ConnectionError)


class ConfigurationError(MonmouthError):
    """Settings, files or arguments are wrong."""

    category = Category.CONFIGURATION
    severity = Severity.HIGH


class ClusterAccessError(ConfigurationError):
    """The brokers do not let this program in, or not do this; or it does not trust them. Trying again does not mend it."""


class LogIntegrityError(MonmouthError):
    """The log is not what its markers say: forged, cut, altered or out of order. The reader must stop."""

    category = Category.PROCESSING
    severity = Severity.CRITICAL


class OutdatedError(MonmouthError):
    """The log holds what a newer version of the product wrote; this process must be upgraded. ``place``: where it lies."""

    category = Category.CONFIGURATION
    severity = Severity.HIGH

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(
            f"{place}: {reason}", "A newer version wrote it: upgrade this process. See 'Upgrading' in docs/deploy.md."
        )


class PositionLostError(MonmouthError):
    """A committed position no longer exists in the log. Names the gap."""

    category = Category.PROCESSING
    severity = Severity.CRITICAL


class FencedError(MonmouthError):
    """Another process took over this transactional id; this one must stop writing."""

    category = Category.PROCESSING
    severity = Severity.HIGH


class InstanceFencedError(MonmouthError):
    """Another process joined the group under this one's name; this one must end."""

    category = Category.CONFIGURATION
    severity = Severity.HIGH


class PoisonError(MonmouthError):
    """One record cannot be processed, ever; it belongs in the dead letter topic."""

    category = Category.PROCESSING
    severity = Severity.LOW


class StoreError(MonmouthError):
    """A store did not acknowledge."""

    category = Category.DATABASE
    severity = Severity.HIGH
    passes = True


class SourceError(MonmouthError):
    """A chain source answered nonsense or not at all."""

    category = Category.EXTERNAL
    severity = Severity.HIGH
    passes = True


class NotANodeError(SourceError):
    """What answers at the address of a node is none: it speaks no JSON-RPC, or does not take the request."""


class SourceChangedError(SourceError):
    """Another node answers from now on: what the former one was seen to know says nothing of it."""
