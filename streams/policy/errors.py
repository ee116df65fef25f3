"""What a policy raises of its own accord. All of it may pass, and says when to ask again where that is known."""

from __future__ import annotations

from streams.errors import Category, MonmouthError, Severity, SourceError, StoreError


class CircuitOpenError(MonmouthError):
    """A place failed several times in a row, and is not asked for a while. ``retry_after``: seconds until it is again.

    ``why``: what it met before; empty where that is not known.
    """

    category = Category.EXTERNAL
    severity = Severity.HIGH
    passes = True
    advice = "It failed several times in a row; it is tried again by itself."

    def __init__(self, name: str, retry_after: float, why: str = "") -> None:
        super().__init__(f"{name} is not asked for {retry_after:.1f} s more" + (f": {why}" if why else ""), self.advice)
        self.name = name
        self.retry_after = retry_after
        self.why = why


class StoreOpenError(CircuitOpenError, StoreError):
    """The same of a store."""

    category = Category.DATABASE


class SourceOpenError(CircuitOpenError, SourceError):
    """The same of a chain source."""

    advice = f"{CircuitOpenError.advice} Is the node running, and is this its address?"


class CrowdedError(MonmouthError):
    """As many calls are under way to a place as it may have at once."""

    category = Category.EXTERNAL
    severity = Severity.LOW
    passes = True


class LateCallError(MonmouthError):
    """A call took longer than it may."""

    category = Category.NETWORK
    severity = Severity.MEDIUM
    passes = True
